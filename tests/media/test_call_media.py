"""Two nodes' media joined by real ICE, DTLS and SRTP on loopback."""

import asyncio
import gc
import weakref

import pytest

from media.aiortc_adapter.dtls import DtlsSession
from media.errors import MediaRefused
from media.events import MediaConnected, MediaFailed, Secured
from media.ports import EndorsementError

from .call_pair import (
    LOOPBACK,
    Pair,
    Phone,
    answered_call,
    call,
    endorsers,
    make_side,
    rtp,
    running,
    sender_report,
    until,
)


@pytest.mark.parametrize("early", [True, False])
async def test_a_call_is_secured_and_signed_and_both_see_the_same_words(early: bool) -> None:
    async with answered_call(early=early) as pair:
        ours, theirs = await pair.secured()
        assert ours.signed
        assert theirs.signed
        assert ours.words == theirs.words
        assert ours.session_hash == theirs.session_hash
        assert ours.dtls_version == "DTLSv1.2"
        assert any(isinstance(event, MediaConnected) for event in pair.caller.events)


async def test_speech_goes_through_bit_exact_both_ways() -> None:
    async with answered_call() as pair:
        for number in range(20):
            packet = rtp(number, bytes([number]) * 160)
            pair.caller.phone.send(packet)
            await pair.callee.phone.hears(packet)
            pair.callee.phone.send(packet)
            await pair.caller.phone.hears(packet)
        caller = pair.caller.media.statistics()
        assert (caller.to_mesh.packets, caller.to_phone.packets) == (20, 20)
        assert caller.to_mesh.bytes == 20 * 172
        assert not caller.drops


async def test_any_payload_goes_through_untouched() -> None:
    async with answered_call() as pair:
        packets = [
            rtp(1, b"\x01\x80\x00\xa0", kind=101, marker=True),  # RFC 4733
            rtp(2, bytes(1_438)),  # 1,450 bytes: pylibsrtp's own limit is 1,356
            rtp(3, b"\xff" * 700, kind=96),
            b"\x90" + rtp(4)[1:12] + bytes.fromhex("bede0001" + "10ff0000") + b"x" * 20,  # RFC 8285
        ]
        for packet in packets:
            pair.caller.phone.send(packet)
            await pair.callee.phone.hears(packet)


async def test_rtcp_goes_both_ways() -> None:
    async with answered_call() as pair:
        pair.caller.phone.send_rtcp(sender_report())
        async with asyncio.timeout(2):
            assert await pair.callee.phone.heard_rtcp.get() == sender_report()
        pair.callee.phone.send_rtcp(sender_report(9))
        async with asyncio.timeout(2):
            assert await pair.caller.phone.heard_rtcp.get() == sender_report(9)


async def test_between_people_who_know_each_other_media_is_ready_while_it_rings() -> None:
    async with call(early=True) as pair:
        await pair.ring()
        ours, theirs = await pair.secured()
        assert ours.signed
        assert theirs.signed
        await pair.answer()
        pair.caller.phone.send(rtp(1))
        await pair.callee.phone.hears(rtp(1))


async def test_to_a_stranger_no_address_leaves_before_pick_up() -> None:
    async with call(early=False) as pair:
        offer = await pair.caller.media.offer_from_phone(pair.caller.phone.sdp())
        assert b"candidate" not in offer
        assert LOOPBACK.encode() not in offer
        await pair.callee.media.offer_from_mesh(offer)
        assert pair.callee.media.transport_fragment() is None
        answer = await pair.callee.media.answer_from_phone(pair.callee.phone.sdp())
        assert b"a=candidate:" in answer
        assert pair.caller.media.transport_fragment() is None
        await pair.caller.media.answer_from_mesh(answer)
        fragment = pair.caller.media.transport_fragment()
        assert fragment is not None
        assert b"a=candidate:" in fragment
        await pair.callee.media.transport_from_mesh(fragment)
        await pair.secured()


@pytest.mark.parametrize(("caller", "callee"), [(True, False), (False, True)])
async def test_one_may_know_the_other_without_being_known(caller: bool, callee: bool) -> None:
    async with call(caller={"early": caller}, callee={"early": callee}) as pair:
        await pair.ring()
        await pair.answer()
        ours, theirs = await pair.secured()
        assert ours.words == theirs.words


async def test_what_nobody_answered_is_freed_without_a_collection() -> None:
    gc.collect()
    gc.disable()
    try:
        held = await _rung()
        await until(lambda: all(each() is None for each in held))
    finally:
        gc.enable()


async def _rung() -> list[weakref.ref[object]]:
    """Let it ring, and close it; return what it consisted of."""
    own, peer = endorsers()
    sides = await make_side("caller", own), await make_side("callee", peer)
    async with running(*sides):
        await Pair(*sides).ring()
        sections = [section for side in sides for section in side.media._sections.values()]
        parts = [side.media for side in sides], *((each.mesh, each.phone, each.mesh.ice) for each in sections)
        return [weakref.ref(part) for some in parts for part in some]


async def test_hold_and_resume_keep_the_transport_and_follow_a_new_phone_port() -> None:
    async with answered_call() as pair:
        held = await pair.caller.media.offer_from_phone(
            pair.caller.phone.sdp(direction="sendonly", version=2)
        )
        assert b"a=sendonly" in await pair.callee.media.offer_from_mesh(held)
        answer = await pair.callee.media.answer_from_phone(
            pair.callee.phone.sdp(direction="recvonly", version=2)
        )
        assert b"a=recvonly" in await pair.caller.media.answer_from_mesh(answer)
        moved = await Phone().open()
        offer = await pair.caller.media.offer_from_phone(moved.sdp(version=3))
        await pair.callee.media.offer_from_mesh(offer)
        answer = await pair.callee.media.answer_from_phone(pair.callee.phone.sdp(version=3))
        moved.listen_to(await pair.caller.media.answer_from_mesh(answer))
        pair.callee.phone.send(rtp(9))
        await moved.hears(rtp(9))
        moved.send(rtp(10))
        await pair.callee.phone.hears(rtp(10))
        moved.close()


async def test_the_callee_may_put_on_hold_as_well() -> None:
    async with answered_call() as pair:
        offer = await pair.callee.media.offer_from_phone(
            pair.callee.phone.sdp(direction="inactive", version=2)
        )
        await pair.caller.media.offer_from_mesh(offer)
        answer = await pair.caller.media.answer_from_phone(
            pair.caller.phone.sdp(direction="inactive", version=2)
        )
        assert b"a=setup:passive" in answer
        assert b"a=inactive" in await pair.callee.media.answer_from_mesh(answer)


async def test_video_can_be_added_in_the_call() -> None:
    async with answered_call() as pair:
        ours, theirs = await Phone().open(), await Phone().open()
        offer = pair.caller.phone.sdp(version=2) + f"m=video {ours.port} RTP/AVPF 96\r\n".encode()
        mesh = await pair.caller.media.offer_from_phone(offer)
        assert mesh.count(b"UDP/TLS/RTP/SAVP") == 2
        for_phone = await pair.callee.media.offer_from_mesh(mesh)
        assert b"RTP/AVPF 96" in for_phone
        reply = pair.callee.phone.sdp(version=2) + f"m=video {theirs.port} RTP/AVPF 96\r\n".encode()
        answer = await pair.callee.media.answer_from_phone(reply)
        final = await pair.caller.media.answer_from_mesh(answer)
        ours.node = (LOOPBACK, int(final.decode().split("m=video ")[1].split(" ")[0]))
        async with asyncio.timeout(5):
            while theirs.heard.empty():
                ours.send(rtp(1, kind=96))
                await asyncio.sleep(0.05)
        for phone in (ours, theirs):
            phone.close()


def port_of(sdp: bytes, media: str) -> int:
    """Return the port of a section."""
    return int(sdp.decode().split(f"m={media} ")[1].split(" ")[0])


async def test_sound_picture_and_text_go_together_and_a_fax_stays_out() -> None:
    lines = {
        "video": "a=rtpmap:96 H264/90000\r\na=fmtp:96 profile-level-id=42e01f\r\na=rtcp-fb:96 nack pli\r\n",
        "text": "a=rtpmap:98 t140/1000\r\na=rtpmap:100 red/1000\r\na=fmtp:100 98/98/98\r\n",  # RFC 4103
    }
    formats = {"video": "96", "text": "98 100"}
    fax = "m=image 5000 udptl t38\r\na=T38FaxVersion:0\r\n"
    async with call() as pair:
        phones = [{kind: await Phone().open() for kind in lines} for _ in range(2)]
        offers = [
            side.phone.sdp(
                extra="".join(
                    f"m={kind} {ears[kind].port} RTP/AVP {formats[kind]}\r\n{lines[kind]}" for kind in lines
                )
                + fax
            )
            for side, ears in zip((pair.caller, pair.callee), phones, strict=True)
        ]
        mesh = await pair.caller.media.offer_from_phone(offers[0])
        for_callee = await pair.callee.media.offer_from_mesh(mesh)
        back = await pair.callee.media.answer_from_phone(offers[1])
        for_caller = await pair.caller.media.answer_from_mesh(back)
        await pair.secured()
        for sdp, ears in ((for_caller, phones[0]), (for_callee, phones[1])):
            assert b"m=image 0 udptl t38" in sdp
            for kind, text in lines.items():
                assert text.encode() in sdp
                ears[kind].node = (LOOPBACK, port_of(sdp, kind))
        for number, (kind, payload_type) in enumerate((("video", 96), ("text", 100), ("text", 98)), 1):
            packet = rtp(number, "hé".encode() + bytes(range(200)), kind=payload_type, marker=True)
            for speaker, listener in ((phones[0], phones[1]), (phones[1], phones[0])):
                heard: list[bytes] = []
                async with asyncio.timeout(5):
                    while packet not in heard:
                        speaker[kind].send(packet)
                        await asyncio.sleep(0.05)
                        heard += _drain(listener[kind].heard)
        for ears in phones:
            for phone in ears.values():
                phone.close()


def _drain(queue: asyncio.Queue[bytes]) -> list[bytes]:
    return [queue.get_nowait() for _ in range(queue.qsize())]


async def test_the_phone_that_answers_last_gets_the_media() -> None:
    async with call() as pair:
        await pair.ring()
        await pair.callee.media.answer_from_phone(pair.callee.phone.sdp())
        winner = await Phone().open()
        answer = await pair.callee.media.answer_from_phone(winner.sdp())
        pair.caller.phone.listen_to(await pair.caller.media.answer_from_mesh(answer))
        await pair.secured()
        pair.caller.phone.send(rtp(1))
        await winner.hears(rtp(1))
        assert pair.callee.phone.heard.empty()
        winner.close()


async def test_fax_gets_port_zero_and_keeps_its_place() -> None:
    async with call() as pair:
        fax = "m=image 5000 udptl t38\r\na=T38FaxVersion:0\r\n"
        mesh = await pair.caller.media.offer_from_phone(pair.caller.phone.sdp(extra=fax))
        assert b"m=image 0 udptl t38" in mesh
        assert b"m=image 0 udptl t38" in await pair.callee.media.offer_from_mesh(mesh)
        reply = pair.callee.phone.sdp(extra="m=image 6000 udptl t38\r\n")
        answer = await pair.callee.media.answer_from_phone(reply)
        assert b"m=image 0 " in await pair.caller.media.answer_from_mesh(answer)


async def test_an_answer_with_other_sections_than_the_offer_is_refused() -> None:
    async with call() as pair:
        await pair.ring()
        with pytest.raises(MediaRefused, match="does not fit"):
            await pair.callee.media.answer_from_phone(
                pair.callee.phone.sdp(extra="m=video 9000 RTP/AVP 96\r\n")
            )


async def test_an_answer_with_another_transport_than_the_fragment_is_refused() -> None:
    async with call() as pair:
        await pair.ring()
        answer = await pair.callee.media.answer_from_phone(pair.callee.phone.sdp())
        start = answer.index(b"a=ice-pwd:") + 10
        forged = answer[:start] + b"x" * 4 + answer[start + 4 :]
        with pytest.raises(MediaRefused, match="changed its transport"):
            await pair.caller.media.answer_from_mesh(forged)


async def test_media_to_a_pinned_peer_is_silent_both_ways_until_the_signature_is_in() -> None:
    ours, theirs = endorsers()
    signs = asyncio.Event()

    class Slow:
        async def sign(self, statement: bytes) -> bytes:
            await signs.wait()
            return await theirs.sign(statement)

        verify = theirs.verify

    async with call(
        caller={"endorser": ours}, callee={"endorser": Slow()}, mute_until_confirmed=True
    ) as pair:
        await pair.ring()
        await pair.answer()
        await pair.callee.secured()
        pair.caller.phone.send(rtp(1))
        pair.callee.phone.send(rtp(1))
        await until(lambda: pair.caller.media.statistics().drops.get("muted_to_phone", 0) == 1)
        assert pair.caller.media.statistics().drops["muted_to_mesh"] == 1
        assert pair.callee.phone.heard.empty()
        signs.set()
        await pair.caller.secured()
        pair.caller.phone.send(rtp(2))
        await pair.callee.phone.hears(rtp(2))


async def test_a_signature_by_another_key_ends_the_call() -> None:
    ours, _ = endorsers()
    _, stranger = endorsers()
    async with call(caller={"endorser": ours}, callee={"endorser": stranger}) as pair:
        await pair.ring()
        async with asyncio.timeout(5):
            status, reason = await pair.caller.media.failed()
        assert status == 403
        assert "not signed by the expected key" in reason
        assert MediaFailed("call-1@test", status, reason) in pair.caller.events
        with pytest.raises(MediaRefused):
            await pair.caller.media.answer_from_mesh(b"")


@pytest.mark.parametrize("mute", [True, False])
async def test_a_peer_that_cannot_sign_is_heard_only_if_it_is_new(mute: bool) -> None:
    ours, theirs = endorsers()

    class Locked:
        async def sign(self, _statement: bytes) -> bytes:
            raise EndorsementError("the key is locked")

        verify = theirs.verify

    options = {"mute_until_confirmed": mute}
    async with call(caller={"endorser": ours}, callee={"endorser": Locked()}, **options) as pair:
        await pair.ring()
        if mute:
            async with asyncio.timeout(5):
                assert (await pair.caller.media.failed())[0] == 403
        else:
            assert not (await pair.caller.secured()).signed


async def test_a_confirmation_that_does_not_come_in_time_ends_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("media.assurance.CONFIRM_SECONDS", 0.2)
    ours, theirs = endorsers()

    class Never:
        async def sign(self, _statement: bytes) -> bytes:
            await asyncio.Event().wait()
            return b""

        verify = theirs.verify

    async with call(caller={"endorser": ours}, callee={"endorser": Never()}) as pair:
        await pair.ring()
        async with asyncio.timeout(5):
            status, reason = await pair.caller.media.failed()
        assert status == 403
        assert "in time" in reason


async def test_a_peer_that_falls_silent_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("media.mesh_leg.LOST_SECONDS", 1.5)
    async with answered_call(peer_name="bob") as pair:
        for section in pair.callee.media._sections.values():
            for protocol in section.mesh.ice._protocols:
                protocol.transport.abort()
        async with asyncio.timeout(5):
            assert await pair.caller.media.failed() == (480, "The connection to bob was lost")


async def test_a_peer_that_says_goodbye_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("media.mesh_leg.GOODBYE_SECONDS", 0.05)
    async with answered_call() as pair:
        await pair.callee.media.aclose()
        async with asyncio.timeout(3):
            assert (await pair.caller.media.failed())[0] == 480


async def test_without_any_way_to_the_peer_the_call_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("media.mesh_leg.CONNECT_SECONDS", 0.3)
    async with call(early=False) as pair:
        await pair.ring()
        answer = await pair.callee.media.answer_from_phone(pair.callee.phone.sdp())
        lines = [line for line in answer.split(b"\r\n") if not line.startswith(b"a=candidate")]
        await pair.caller.media.answer_from_mesh(b"\r\n".join(lines))
        async with asyncio.timeout(3):
            assert (await pair.caller.media.failed())[0] == 480
            assert (await pair.callee.media.failed())[0] == 480


async def test_closing_before_anything_has_happened_is_allowed_twice() -> None:
    ours, _ = endorsers()
    side = await make_side("caller", ours)
    await side.media.aclose()
    await side.media.aclose()
    await side.media.run()
    side.phone.close()


async def test_no_address_to_call_from_is_refused_in_words() -> None:
    ours, _ = endorsers()
    side = await make_side("caller", ours, mesh_addresses=("192.0.2.77",))
    async with running(side):
        with pytest.raises(MediaRefused, match="no network address"):
            await side.media.offer_from_phone(side.phone.sdp())


async def test_two_calls_share_no_key_and_no_words() -> None:
    async with answered_call() as one, answered_call() as other:
        (first, _), (second, _) = await one.secured(), await other.secured()
        assert first.session_hash != second.session_hash
        legs = [side.media._sections[0].mesh for pair in (one, other) for side in (pair.caller, pair.callee)]
        keys = {leg.session.export(b"EXTRACTOR-dtls_srtp", b"", 60) for leg in legs if leg.session}
        certificates = {leg._certificate.fingerprint for leg in legs}
        assert (len(keys), len(certificates)) == (2, 4)
        assert isinstance(first, Secured)


async def test_an_invitation_without_an_offer_is_served_the_other_way_round() -> None:
    async with call(early=True) as pair:
        assert pair.callee.media.transport_fragment() is None
        offer = await pair.callee.media.offer_from_phone(pair.callee.phone.sdp())
        pair.caller.phone.listen_to(await pair.caller.media.offer_from_mesh(offer))
        answer = await pair.caller.media.answer_from_phone(pair.caller.phone.sdp())
        assert b"a=setup:passive" in answer
        pair.callee.phone.listen_to(await pair.callee.media.answer_from_mesh(answer))
        await pair.secured()
        pair.callee.phone.send(rtp(1))
        await pair.caller.phone.hears(rtp(1))


async def test_a_fault_of_our_own_ends_the_call_and_is_raised_to_the_owner() -> None:
    class Broken:
        async def sign(self, _statement: bytes) -> bytes:
            raise ZeroDivisionError

        async def verify(self, _statement: bytes, _signature: bytes) -> bool:
            return True

    with pytest.raises(ExceptionGroup) as fault:  # noqa: PT012 - the group closes around the call
        async with call(caller={"endorser": Broken()}) as pair:
            await pair.ring()
            async with asyncio.timeout(5):
                assert (await pair.caller.media.failed())[0] == 500
    assert fault.group_contains(ZeroDivisionError)


async def test_an_own_signature_too_long_for_the_wire_is_left_out() -> None:
    ours, theirs = endorsers()

    class Wordy:
        verify = theirs.verify

        async def sign(self, _statement: bytes) -> bytes:
            return bytes(5_000)

    async with call(
        caller={"endorser": ours}, callee={"endorser": Wordy()}, mute_until_confirmed=False
    ) as pair:
        await pair.ring()
        assert not (await pair.caller.secured()).signed


async def test_media_that_is_cancelled_amid_its_end_is_closed_by_its_owner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ending, original = asyncio.Event(), DtlsSession.aclose

    async def stuck_at_first(session: DtlsSession) -> None:
        if not ending.is_set():
            ending.set()
            await asyncio.Event().wait()
        await original(session)

    ours, theirs = endorsers()
    caller, callee = await make_side("caller", ours), await make_side("callee", theirs)
    async with running(callee), asyncio.TaskGroup() as group:
        media = group.create_task(caller.media.run())
        pair = Pair(caller, callee)
        await pair.ring()
        await pair.secured()
        monkeypatch.setattr(DtlsSession, "aclose", stuck_at_first)
        closing = group.create_task(caller.media.aclose())
        await ending.wait()
        media.cancel()
        async with asyncio.timeout(2):
            await closing
        caller.phone.close()
    assert pair.caller.media._sections[0].mesh.ice._protocols == []
