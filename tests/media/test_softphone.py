"""The echo and the WAV player, through two real nodes' media and on their own."""

import asyncio
import itertools
import math
import struct
import wave
from pathlib import Path

import pytest

from media.errors import MediaRefused
from media.protocol import g711
from media.protocol.recording import Recording
from media.softphone import EchoPhone, WavPhone

from .call_pair import Phone, call, rtp, until


def write_tone(path: Path, *, rate: int, channels: int, seconds: float) -> None:
    count = int(rate * seconds)
    tone = [int(9_000 * math.sin(2 * math.pi * 440 * at / rate)) for at in range(count)]
    frames = b"".join(struct.pack("<h", value) * channels for value in tone)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(frames)


def read(path: Path) -> list[int]:
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8_000)
        data = file.readframes(file.getnframes())
    return [value for (value,) in struct.iter_unpack("<h", data)]


async def test_a_wav_file_comes_back_from_the_echo_through_two_nodes(tmp_path: Path) -> None:
    write_tone(tmp_path / "in.wav", rate=16_000, channels=2, seconds=0.5)
    player, echo = WavPhone(tmp_path / "in.wav", tmp_path / "out.wav"), EchoPhone()
    async with call() as pair:
        offer = await pair.callee.media.offer_from_mesh(
            await pair.caller.media.offer_from_phone(await player.offer())
        )
        fragment = pair.callee.media.transport_fragment()
        assert fragment is not None
        await pair.caller.media.transport_from_mesh(fragment)
        await pair.secured()
        answer = await pair.callee.media.answer_from_phone(await echo.answer(offer))
        await player.answered(await pair.caller.media.answer_from_mesh(answer))
        async with asyncio.timeout(5):
            await player.heard.wait()
            await player.played.wait()
        await until(lambda: player.packets_received >= 25)
        assert echo.packets_received == echo.packets_sent
        await player.aclose()
        await echo.aclose()
    heard = read(tmp_path / "out.wav")
    assert len(heard) >= 25 * 160
    power = math.sqrt(sum(value * value for value in heard[:3_200]) / 3_200)
    assert 5_500 < power < 7_200  # 9,000 / sqrt 2
    crossings = sum(a < 0 <= b for a, b in itertools.pairwise(heard[:3_200]))
    assert abs(crossings - 440 * 0.4) <= 2


async def test_the_echo_takes_any_codec_and_keeps_payload_marker_and_timestamp() -> None:
    phone, echo = await Phone().open(), EchoPhone()
    sdp = (
        phone.sdp().replace(b"RTP/AVP 0 8 101", b"RTP/AVP 96")
        + b"a=rtpmap:96 opus/48000/2\r\na=fmtp:96 x=1\r\n"
    )
    answer = await echo.answer(sdp + b"m=video 0 RTP/AVP 97\r\nm=image 9 udptl t38\r\n")
    assert b"RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 x=1" in answer
    assert b"m=video 0 RTP/AVP 97" in answer
    assert b"m=image 0 udptl t38" in answer
    phone.listen_to(answer)
    sent = rtp(9, b"opus", kind=96, marker=True)
    phone.send(sent)
    async with asyncio.timeout(2):
        back = await phone.heard.get()
    assert (back[:2], back[4:8], back[12:]) == (sent[:2], sent[4:8], sent[12:])
    assert back[8:12] != sent[8:12]
    await echo.aclose()
    phone.close()


async def test_the_echo_can_also_call() -> None:
    phone, echo = await Phone().open(), EchoPhone()
    phone.listen_to(await echo.offer())
    await echo.answered(phone.sdp())
    phone.send(rtp(1, b"abc"))
    async with asyncio.timeout(2):
        assert (await phone.heard.get())[12:] == b"abc"
    with pytest.raises(MediaRefused):
        await echo.answered(b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nm=audio 0 RTP/AVP 0\r\n")
    await echo.aclose()
    phone.close()


async def test_without_a_file_silence_is_sent_every_20_ms_and_a_late_one_shifts_none() -> None:
    phone, player = await Phone().open(), WavPhone()
    await player.offer()
    begun = asyncio.get_running_loop().time()
    await player.answered(phone.sdp())
    packets: list[bytes] = []
    async with asyncio.timeout(3):
        while len(packets) < 26:
            packets.append(await phone.heard.get())
    took = asyncio.get_running_loop().time() - begun
    assert 0.49 < took < 0.8
    assert all(packet[12:] == b"\xff" * 160 for packet in packets)
    stamps = [int.from_bytes(packet[4:8]) for packet in packets]
    assert {(b - a) % 2**32 for a, b in itertools.pairwise(stamps)} == {160}
    assert [packet[1] for packet in packets[:2]] == [0x80, 0x00]
    await player.aclose()
    phone.close()


async def test_alaw_is_spoken_where_the_other_side_prefers_it() -> None:
    phone, player = await Phone().open(), WavPhone()
    answer = await player.answer(phone.sdp().replace(b"AVP 0 8 101", b"AVP 101 8 0"))
    assert b"RTP/AVP 8\r\n" in answer
    async with asyncio.timeout(2):
        assert (await phone.heard.get())[12:] == b"\xd5" * 160
    await player.aclose()
    phone.close()


async def test_a_party_without_g711_is_refused_in_words() -> None:
    phone, player = await Phone().open(), WavPhone()
    with pytest.raises(MediaRefused, match=r"speaks G\.711 only"):
        await player.answer(phone.sdp().replace(b"AVP 0 8 101", b"AVP 96"))
    await player.aclose()
    phone.close()


async def test_a_file_that_is_no_sound_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"not a sound")
    phone, player = await Phone().open(), WavPhone(tmp_path / "x.wav")
    with pytest.raises(ValueError, match="no sound file"):
        await player.answer(phone.sdp())
    await player.aclose()
    phone.close()


def test_a_recording_puts_late_packets_in_their_place_and_is_bounded() -> None:
    recording = Recording(8)
    recording.add(b"a", 2**32 - 2, b"\1\0" * 2)
    recording.add(b"a", 2, b"\3\0" * 2)
    recording.add(b"a", 0, b"\2\0" * 2)
    recording.add(b"a", 2**32 - 9, b"\7\0" * 2)
    recording.add(b"b", 77, b"\4\0" * 2)
    recording.add(b"b", 79, b"\5\0" * 2)
    assert recording.samples() == b"\1\0\1\0\2\0\2\0\3\0\3\0\4\0\4\0"


@pytest.mark.parametrize("name", ["PCMU", "PCMA"])
def test_g711_is_the_one_that_ffmpeg_speaks_and_loses_nothing_on_the_second_way(name: str) -> None:
    import av

    codec = av.CodecContext.create({"PCMU": "pcm_mulaw", "PCMA": "pcm_alaw"}[name], "r")
    codec.layout, codec.sample_rate = "mono", 8_000  # type: ignore[attr-defined]
    (frame,) = codec.decode(av.packet.Packet(bytes(range(256))))  # type: ignore[attr-defined]
    levels = g711.decode(name, bytes(range(256)))
    assert bytes(frame.planes[0])[:512] == levels
    assert g711.decode(name, g711.encode(name, levels)) == levels
    assert g711.encode(name, bytes(2)) != b""
    assert abs(struct.unpack("<h", g711.decode(name, bytes([g711.SILENCE[name]])))[0]) <= 8
