"""Calls of phones that key SRTP by DTLS: over two nodes, and relayed by one; the same payloads come out."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator

import pytest

import media.phone_association
from media.errors import MediaRefused
from media.phone_association import KEYED
from media.relay import Relay, RelaySide

from .call_pair import LOOPBACK, Pair, Phone, call, rtp, sender_report, until
from .dtls_phone import DtlsPhone, keyed
from .srtp_phone import SrtpPhone


@contextlib.asynccontextmanager
async def talking(caller: DtlsPhone, callee: DtlsPhone) -> AsyncIterator[Pair]:
    """A call over two nodes."""
    async with call(caller={"phone": caller}, callee={"phone": callee}) as pair:
        ours, theirs = pair.caller.media, pair.callee.media
        mesh = await ours.offer_from_phone(caller.offer())
        assert b"m=audio 9 UDP/TLS/RTP/SAVP " in mesh, "which every phone can be offered"
        offered = theirs.secure_offer(await theirs.offer_from_mesh(mesh), b"", by_dtls=True)
        answer = await theirs.answer_from_phone(callee.answer(offered))
        for told in (mesh, answer):
            for phone in (caller, callee):
                assert phone.certificate.fingerprint.hex(":").upper().encode() not in told
        told = await ours.answer_from_mesh(answer)
        assert f" {caller.profile} ".encode() in told
        caller.told(told)
        async with asyncio.timeout(5):
            await asyncio.gather(ours.connected(), theirs.connected())  # noqa: TID251 - both are awaited here
        await caller.connect()
        await callee.connect()
        await until(lambda: keyed(ours._sections[0].phone) and keyed(theirs._sections[0].phone))
        yield pair
        await caller.hang_up()
        await callee.hang_up()


async def test_payloads_come_out_as_they_went_in() -> None:
    caller, callee = DtlsPhone(), DtlsPhone(mux=False)
    async with talking(caller, callee) as pair:
        await until(lambda: pair.callee.media._sections[0].phone._srtcp is not None)
        for number in range(50):
            payload = bytes([number]) * 160
            caller.say(rtp(number, payload))
            await callee.is_told(rtp(number, payload))
            callee.say(rtp(number, payload[::-1], ssrc=9))
            await caller.is_told(rtp(number, payload[::-1], ssrc=9))
        caller.say(sender_report())
        await callee.is_told(sender_report())
        callee.say(sender_report(9))
        await caller.is_told(sender_report(9))
        for side in (pair.caller, pair.callee):
            assert side.media._sections[0].phone.dropped == {}


async def test_hold_and_resume_go_on_under_the_same_keys() -> None:
    caller, callee = DtlsPhone(), DtlsPhone()
    async with talking(caller, callee) as pair:
        ours, theirs = pair.caller.media, pair.callee.media
        caller.say(rtp(1))
        await callee.is_told(rtp(1))
        for version, direction in ((2, "sendonly"), (3, "sendrecv")):
            mesh = await ours.offer_from_phone(caller.offer(direction=direction, version=version))
            offered = await theirs.offer_from_mesh(mesh)
            assert theirs.secure_offer(offered, callee.offer(), by_dtls=True) == offered
            before = callee.node_dtls
            answer = callee.answer(offered, version=version)
            assert before is not None
            assert callee.node_dtls is not None
            assert callee.node_dtls.fingerprint == before.fingerprint
            caller.told(await ours.answer_from_mesh(await theirs.answer_from_phone(answer)))
        caller.say(rtp(2))
        await callee.is_told(rtp(2))
        callee.say(rtp(3, ssrc=9))
        await caller.is_told(rtp(3, ssrc=9))


async def test_a_phone_that_does_not_set_it_up_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media.phone_association, "CONNECT_SECONDS", 0.2)
    caller = DtlsPhone()
    async with call(caller={"phone": caller}) as pair:
        await pair.ring(caller.offer())
        await pair.answer()
        await pair.secured()
        await pair.caller.media.connected()
        async with asyncio.timeout(3):
            assert await pair.caller.media.failed() == (480, media.phone_association.NOT_SET_UP)
        with pytest.raises(MediaRefused, match="did not set up"):
            await pair.caller.media.offer_from_phone(caller.offer(version=2))


async def test_a_call_that_is_over_leaves_no_association() -> None:
    caller, callee = DtlsPhone(), DtlsPhone()
    async with talking(caller, callee) as pair:
        ended = caller.sessions[0].ended()
        await pair.caller.media.aclose()
        async with asyncio.timeout(3):
            await ended
        assert pair.caller.media._sections[0].phone.dtls_sinks is None
        await pair.callee.media.aclose()
        gc.collect()
        assert not {place for place in KEYED if place[0] == caller.certificate.fingerprint}


async def test_a_phone_that_goes_into_another_call_takes_its_keys_along() -> None:
    phone, other = DtlsPhone(tls_id="t" * 20), Phone()
    async with call(caller={"phone": phone}) as old, relay(other) as new:
        await old.ring(phone.offer())
        mesh = await old.callee.media.answer_from_phone(old.callee.phone.sdp())
        first = phone.told(await old.caller.media.answer_from_mesh(mesh))
        await old.secured()
        await phone.connect()
        await until(lambda: keyed(old.caller.media._sections[0].phone))
        phone.say(rtp(1))
        await old.callee.phone.hears(rtp(1))
        said = phone.offer()
        await new.offer_from_phone(said)
        told = phone.told(await new.answer_from_mesh(other.sdp()))
        assert told == first
        await new.answer_from_phone(phone.description("active"))
        await old.caller.media.aclose()
        assert phone.sessions[0]._dtls.state == "connected", "it was not told goodbye"
        phone.say(rtp(2))
        await other.hears(rtp(2))
        new._near.legs[0].send(rtp(3))
        await phone.is_told(rtp(3))
        await phone.hang_up()


async def test_a_phone_that_shakes_hands_in_the_other_call_again_may() -> None:
    phone, other = DtlsPhone(), Phone()
    async with relay(other, phone) as it:
        offered = it.secure_offer(await it.offer_from_phone(other.sdp()), b"", by_dtls=True)
        other.listen_to(await it.answer_from_mesh(phone.answer(offered)))
        await phone.connect()
        await it.connected()
        first = phone.node_dtls
        async with relay() as new:
            offered = new.secure_offer(
                await new.offer_from_phone(other.sdp()), phone.description("active"), by_dtls=False
            )
            assert phone.told(offered) == first
            other.listen_to(await new.answer_from_mesh(phone.answer(offered)))
            before = phone.srtp.copy()
            await phone.sessions.pop().aclose(quietly=True)
            phone.srtp.clear()
            phone.stop_sorting()
            await phone.connect()
            phone.say(rtp(1))
            await other.hears(rtp(1))
            late = before[0][0].process(rtp(2))
            assert late is not None
            phone.send(late)
            leg = new._far.legs[0]
            await until(lambda: leg.dropped.get("phone_forged") == 1)


@contextlib.asynccontextmanager
async def relay(*phones: Phone) -> AsyncIterator[Relay]:
    made = Relay(*(RelaySide(LOOPBACK, frozenset({LOOPBACK})) for _ in range(2)))
    async with asyncio.TaskGroup() as group:
        group.create_task(made.run())
        for phone in phones:
            await phone.open()
        try:
            yield made
        finally:
            for phone in phones:
                if isinstance(phone, DtlsPhone):
                    await phone.hang_up()
            await made.aclose()
            await made.aclose()
            for phone in phones:
                phone.close()


async def test_the_node_relays_between_dtls_and_plain_rtp() -> None:
    near, far = DtlsPhone(), Phone()
    async with relay(near, far) as it:
        offered = await it.offer_from_phone(near.offer())
        assert b" RTP/AVP " in offered
        far.listen_to(offered)
        near.told(await it.answer_from_mesh(far.sdp()))
        await it.connected()
        await near.connect()
        await until(lambda: keyed(it._near.legs[0]))
        near.say(rtp(1))
        await far.hears(rtp(1))
        far.send(rtp(2))
        await near.is_told(rtp(2))


async def test_the_node_relays_between_keys_in_descriptions_and_dtls_and_waits_for_these() -> None:
    near, far = SrtpPhone(), DtlsPhone()
    async with relay(near, far) as it:
        offered = it.secure_offer(await it.offer_from_phone(near.offer()), b"", by_dtls=True)
        near.answered(await it.answer_from_mesh(far.answer(offered)))
        waiting = asyncio.ensure_future(it.connected())  # noqa: TID251 - awaited below
        await asyncio.sleep(0.05)
        assert not waiting.done(), "the caller is not answered before the callee has keys"
        await far.connect()
        async with asyncio.timeout(3):
            await waiting
        near.say(rtp(1))
        await far.is_told(rtp(1))
        far.say(rtp(2))
        await near.hears(rtp(2))


async def test_a_phone_of_a_relayed_call_that_does_not_set_it_up_ends_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(media.phone_association, "CONNECT_SECONDS", 0.2)
    near, far = Phone(), DtlsPhone()
    async with relay(near, far) as it:
        offered = it.secure_offer(await it.offer_from_phone(near.sdp()), b"", by_dtls=True)
        near.listen_to(await it.answer_from_mesh(far.answer(offered)))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await it.connected()
        async with asyncio.timeout(3):
            assert await it.failed() == (480, media.phone_association.NOT_SET_UP)
