"""What a phone sends is what the other phone hears, to the bit: headers, payloads, extensions, control."""

import asyncio
import contextlib
import hashlib
import random
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import pytest

from .call_pair import LOOPBACK, Pair, Phone, answered_call, call, rtp, sender_report

WINDOW = 32
"""So many packets are under way at once: what a burst of video is, and less than a socket's buffer holds."""

CODECS = (
    "a=rtpmap:9 G722/8000\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:13 CN/8000\r\n"
    "a=fmtp:111 minptime=10;useinbandfec=1\r\na=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
    "a=rtcp-fb:* transport-cc\r\na=extmap:3/sendonly urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
)
LEVEL = b"\xbe\xde\x00\x01\x10\x9a\x00\x00"
"""A header extension of one word: an audio level (RFC 6464), padded."""


@dataclass
class Stream:
    """One stream of a phone: a payload type, a clock, payloads as its codec makes them."""

    kind: int
    step: int
    payload: Callable[[random.Random], bytes]
    extension: bytes = b""
    per_frame: int = 1  # packets that share a timestamp; the last has the marker
    csrc: bytes = b""

    def packets(self, ssrc: int, chance: random.Random) -> Iterator[bytes]:
        """Yield packets without end; the sequence number wraps after a few, the timestamp too."""
        number, timestamp = 0xFFF0 + chance.randrange(16), 0xFFFFF000
        while True:
            for at in range(self.per_frame):
                last = self.per_frame > 1 and at == self.per_frame - 1
                first = 0x80 | (0x10 if self.extension else 0) | len(self.csrc) // 4
                header = struct.pack(
                    "!BBHII", first, self.kind | last << 7, number, timestamp & 0xFFFFFFFF, ssrc
                )
                yield header + self.csrc + self.extension + self.payload(chance)
                number = (number + 1) & 0xFFFF
            timestamp += self.step


def fixed(size: int) -> Callable[[random.Random], bytes]:
    return lambda chance: chance.randbytes(size)


def between(least: int, most: int) -> Callable[[random.Random], bytes]:
    return lambda chance: chance.randbytes(chance.randint(least, most))


def event(chance: random.Random) -> bytes:
    return bytes([chance.randrange(16), 10 | chance.randrange(2) << 7]) + chance.randbytes(2)


STREAMS = {
    "PCMU": Stream(0, 160, fixed(160)),
    "PCMA": Stream(8, 160, fixed(160)),
    "G.722": Stream(9, 160, fixed(160)),
    "Opus": Stream(111, 960, between(1, 400), LEVEL),
    "telephone-event": Stream(101, 0, event),
    "comfort noise": Stream(13, 160, between(1, 11)),
    "VP8": Stream(96, 3_000, between(900, 1_430), LEVEL, per_frame=5),
    "H.264": Stream(97, 3_000, fixed(1_438), per_frame=7),
    "a mixer's": Stream(0, 160, fixed(160), csrc=bytes(range(8))),
}


def talk(seed: int) -> Iterator[bytes]:
    """Yield packets of all streams, mixed."""
    chance = random.Random(seed)
    running = [stream.packets(1_000 * seed + at, chance) for at, stream in enumerate(STREAMS.values())]
    while True:
        yield next(chance.choice(running))


async def carry(sender: Phone, listener: Phone, packets: Iterator[bytes], count: int) -> tuple[str, str]:
    """Send so many packets; return the SHA-256 of all that was sent, and of all that was heard."""
    sent, heard = hashlib.sha256(), hashlib.sha256()
    for begun in range(0, count, WINDOW):
        size = min(WINDOW, count - begun)
        for _ in range(size):
            packet = next(packets)
            sent.update(packet)
            sender.send(packet)
        async with asyncio.timeout(5):
            for _ in range(size):
                heard.update(await listener.heard.get())
    return sent.hexdigest(), heard.hexdigest()


async def carried_both_ways(count: int) -> None:
    async with answered_call() as pair, asyncio.TaskGroup() as group:
        ways = [
            group.create_task(carry(pair.caller.phone, pair.callee.phone, talk(1), count // 2)),
            group.create_task(carry(pair.callee.phone, pair.caller.phone, talk(2), count // 2)),
        ]
        for sent, heard in [await way for way in ways]:
            assert sent == heard
        for side in (pair.caller, pair.callee):
            figures = side.media.statistics()
            assert figures.to_mesh.packets == figures.to_phone.packets == count // 2
            assert figures.drops == {}


async def test_ten_thousand_packets_of_all_codecs_arrive_as_they_were_sent() -> None:
    await carried_both_ways(10_000)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_a_million_packets_of_all_codecs_arrive_as_they_were_sent() -> None:
    await carried_both_ways(1_000_000)


@pytest.mark.parametrize("name", STREAMS)
async def test_each_codec_arrives_as_it_was_sent(name: str) -> None:
    async with answered_call() as pair:
        packets = STREAMS[name].packets(7, random.Random(3))
        sent, heard = await carry(pair.caller.phone, pair.callee.phone, packets, 64)
        assert sent == heard


def compound(*parts: tuple[int, int, bytes]) -> bytes:
    """Return RTCP of these parts: (type, count or format, all after the first word)."""
    return b"".join(
        struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body for kind, count, body in parts
    )


WHO, WHOM = struct.pack("!I", 7), struct.pack("!I", 8)
REPORT = WHOM + bytes(range(20))
CNAME = b"\x01\x05phone\x00"
CONTROL = {
    "SR with a report, and SDES": compound((200, 1, WHO + bytes(20) + REPORT), (202, 1, WHO + CNAME)),
    "RR": compound((201, 2, WHO + REPORT + REPORT)),
    "NACK": compound((201, 0, WHO), (205, 1, WHO + WHOM + b"\x00\x11\x00\xff" * 3)),
    "PLI": compound((206, 1, WHO + WHOM)),
    "FIR": compound((206, 4, WHO + bytes(4) + WHOM + b"\x01\x00\x00\x00")),
    "REMB": compound((206, 15, WHO + bytes(4) + b"REMB\x01\x13\xf7\xa0" + WHOM)),
    "TWCC": compound(
        (205, 15, WHO + WHOM + b"\x00\x01\x00\x04\x00\x00\x05\x01\x20\x04\x10\x10\x10\x10\x00\x00")
    ),
    "XR": compound((201, 0, WHO), (207, 0, WHO + b"\x04\x00\x00\x02" + bytes(8))),
    "APP": compound((204, 3, WHO + b"mine" + bytes(40))),
    "BYE": compound((201, 0, WHO), (203, 1, WHO)),
}


@pytest.mark.parametrize("mux", [False, True])
async def test_control_arrives_as_it_was_sent_on_its_own_port_or_on_the_medias(mux: bool) -> None:
    async with call() as pair:
        extra = "a=rtcp-mux\r\n" if mux else ""
        await pair.ring(pair.caller.phone.sdp(extra=extra))
        await pair.answer(pair.callee.phone.sdp())
        await pair.secured()
        caller, callee = pair.caller.phone, pair.callee.phone
        for packet in CONTROL.values():
            (caller.send if mux else caller.send_rtcp)(packet)
            callee.send_rtcp(packet)
            async with asyncio.timeout(2):
                assert await callee.heard_rtcp.get() == packet
                assert await (caller.heard if mux else caller.heard_rtcp).get() == packet


@contextlib.asynccontextmanager
async def with_codecs() -> AsyncIterator[tuple[Pair, bytes, bytes]]:
    """A call with many codecs: the pair, what the callee's phone was offered, what the caller's was answered."""
    async with call() as pair:
        offer = pair.caller.phone.sdp(extra=CODECS).replace(b"AVP 0 8 101", b"AVP 111 9 0 8 13 101")
        to_callee = await pair.callee.media.offer_from_mesh(await pair.caller.media.offer_from_phone(offer))
        fragment = pair.callee.media.transport_fragment()
        assert fragment is not None
        await pair.caller.media.transport_from_mesh(fragment)
        answer = pair.callee.phone.sdp(extra=CODECS).replace(b"AVP 0 8 101", b"AVP 111 101")
        to_caller = await pair.caller.media.answer_from_mesh(
            await pair.callee.media.answer_from_phone(answer)
        )
        pair.callee.phone.listen_to(to_callee)
        pair.caller.phone.listen_to(to_caller)
        await pair.secured()
        yield pair, to_callee, to_caller


async def test_payload_types_and_extension_numbers_mean_the_same_to_both_phones() -> None:
    async with with_codecs() as (pair, to_callee, to_caller):
        for description, formats in ((to_callee, b"111 9 0 8 13 101"), (to_caller, b"111 101")):
            lines = description.split(b"\r\n")
            assert any(line.startswith(b"m=audio ") and line.endswith(b"AVP " + formats) for line in lines)
            assert [line for line in CODECS.encode().split(b"\r\n") if line not in lines] == []
        packets = STREAMS["Opus"].packets(7, random.Random(3))
        sent, heard = await carry(pair.callee.phone, pair.caller.phone, packets, 64)
        assert sent == heard


async def test_the_longest_packet_passes_and_a_longer_one_is_dropped_and_counted() -> None:
    async with answered_call() as pair:
        for size in (1_450, 1_500):
            pair.caller.phone.send(rtp(size, bytes(size - 12)))
            await pair.callee.phone.hears(rtp(size, bytes(size - 12)))
        pair.caller.phone.send(rtp(1_501, bytes(1_501 - 12)))
        pair.caller.phone.send(rtp(1_502))
        await pair.callee.phone.hears(rtp(1_502))
        assert pair.caller.media.statistics().drops == {"phone_not_rtp": 1}


async def test_a_phone_may_change_its_ssrc_on_hold_and_come_back_to_the_old_one() -> None:
    async with answered_call() as pair:
        caller, callee = pair.caller, pair.callee
        for ssrc, first, direction in ((7, 65_530, "sendrecv"), (8, 3, "sendonly"), (7, 65_560, "sendrecv")):
            offer = caller.phone.sdp(direction=direction, version=first)
            callee.phone.listen_to(
                await callee.media.offer_from_mesh(await caller.media.offer_from_phone(offer))
            )
            answer = await callee.media.answer_from_phone(callee.phone.sdp(version=first))
            caller.phone.listen_to(await caller.media.answer_from_mesh(answer))
            for number in range(first, first + 20):
                caller.phone.send(rtp(number, ssrc=ssrc))
                await callee.phone.hears(rtp(number, ssrc=ssrc))
            caller.phone.send_rtcp(sender_report(ssrc))
            async with asyncio.timeout(2):
                assert await callee.phone.heard_rtcp.get() == sender_report(ssrc)
        assert caller.media.statistics().drops == {}
        assert caller.phone.node[0] == LOOPBACK
