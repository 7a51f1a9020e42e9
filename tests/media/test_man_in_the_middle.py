"""Somebody who owns signalling and path, with his own DTLS on both legs, against the confirmation."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from OpenSSL import SSL

from media.aiortc_adapter import dtls
from media.call_media import CallMedia
from media.events import Secured
from media.mesh_leg import MeshLeg

from .call_pair import PARTIES, Pair, call, endorsers, make_media, make_side, rtp, running

TRIES = 200
AT_ONCE = 10


@dataclass
class Relay:
    """Has no key of either side: it hands on the signatures that the victims make, and believes anything."""

    signatures: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    other: "Relay | None" = None

    async def sign(self, _statement: bytes) -> bytes:
        return await self.signatures.get()

    async def verify(self, _statement: bytes, signature: bytes) -> bool:
        assert self.other is not None
        self.other.signatures.put_nowait(signature)
        return True


@dataclass
class MiddleMan:
    """Answers the caller as the callee, and calls the callee as the caller."""

    to_caller: CallMedia
    to_callee: CallMedia

    async def invite(self, offer: bytes) -> bytes:
        return await self.to_callee.offer_from_phone(await self.to_caller.offer_from_mesh(offer))

    async def answer(self, answer: bytes) -> bytes:
        return await self.to_caller.answer_from_phone(await self.to_callee.answer_from_mesh(answer))


@contextlib.asynccontextmanager
async def attacked(middle: MiddleMan, **options: Any) -> AsyncIterator[tuple[Pair, MiddleMan]]:
    """A call through the man in the middle, as far as he can bring it."""
    async with call(**options) as pair, asyncio.TaskGroup() as group:
        for media in (middle.to_caller, middle.to_callee):
            group.create_task(media.run())
        try:
            offer = await middle.invite(await pair.caller.media.offer_from_phone(pair.caller.phone.sdp()))
            pair.callee.phone.listen_to(await pair.callee.media.offer_from_mesh(offer))
            for theirs, ours in (
                (pair.callee.media, middle.to_callee),
                (middle.to_caller, pair.caller.media),
            ):
                fragment = theirs.transport_fragment()
                assert fragment is not None
                await ours.transport_from_mesh(fragment)
            yield pair, middle
        finally:
            await middle.to_caller.aclose()
            await middle.to_callee.aclose()


def relaying_signatures() -> MiddleMan:
    one, other = Relay(), Relay()
    one.other, other.other = other, one
    options = {"mute_until_confirmed": False, "parties": PARTIES}
    return MiddleMan(
        make_media("callee", one, lambda _event: None, **options),
        make_media("caller", other, lambda _event: None, **options),
    )


def relaying_messages() -> MiddleMan:
    """Passes on each message of the confirmation as it is, instead of taking part."""
    middle = relaying_signatures()
    legs: list[MeshLeg] = []
    both = asyncio.Event()

    def keyed(leg: MeshLeg) -> None:
        legs.append(leg)
        if len(legs) == 2:
            both.set()

    async def pump(index: int) -> None:
        await both.wait()
        session = legs[1 - index].session
        assert session is not None
        while True:
            await session.send(await legs[index].inbox.get())

    for index, media in enumerate((middle.to_caller, middle.to_callee)):
        media._assurance.keyed = keyed  # type: ignore[method-assign]
        media._assurance.gate.is_open = True
        media._start(lambda index=index: pump(index))  # type: ignore[misc]
    return middle


async def detected(middle: MiddleMan) -> None:
    """One try: both victims must end the call with 403, and nothing that they say may be heard."""
    async with attacked(middle, mute_until_confirmed=True) as (pair, _):
        for number in range(3):
            pair.caller.phone.node = ("127.0.0.1", pair.caller.media._sections[0].phone.port)
            pair.caller.phone.send(rtp(number))
            pair.callee.phone.send(rtp(number))
        async with asyncio.timeout(20):
            statuses = {(await side.media.failed())[0] for side in (pair.caller, pair.callee)}
        assert 403 in statuses
        assert statuses <= {403, 480}  # one may learn of it from the other's goodbye
        for side in (pair.caller, pair.callee):
            assert not any(isinstance(event, Secured) and event.signed for event in side.events)
            assert side.media.statistics().to_mesh.packets == 0
            assert side.media.statistics().to_phone.packets == 0
        assert pair.caller.phone.heard.empty()
        assert pair.callee.phone.heard.empty()


@pytest.mark.parametrize("attack", [relaying_signatures, relaying_messages])
async def test_a_man_in_the_middle_is_detected_every_time_and_hears_nothing(
    attack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("media.assurance.CONFIRM_SECONDS", 1.0)
    monkeypatch.setattr("media.mesh_leg.GOODBYE_SECONDS", 0.2)
    waiting = iter(range(TRIES // 2))
    found = 0

    async def attacker() -> None:
        nonlocal found
        for _ in waiting:
            await detected(attack())
            found += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(attacker())
    assert found == TRIES // 2


async def test_two_strangers_with_a_man_in_the_middle_see_other_words() -> None:
    ours, _ = endorsers()

    class Gullible:
        """A first call: any key will do."""

        sign = ours.sign

        async def verify(self, _statement: bytes, _signature: bytes) -> bool:
            return True

    middle = relaying_signatures()
    options = {"endorser": Gullible(), "mute_until_confirmed": False}
    async with attacked(middle, **options) as (pair, _):
        one, other = await pair.secured()
        assert one.words != other.words
        assert one.session_hash != other.session_hash


async def test_a_certificate_other_than_the_announced_one_ends_the_call_with_403() -> None:
    async with call() as pair:
        offer = await pair.caller.media.offer_from_phone(pair.caller.phone.sdp())
        await pair.callee.media.offer_from_mesh(offer)
        fragment = pair.callee.media.transport_fragment()
        assert fragment is not None
        start = fragment.index(b"sha-256 ") + 8
        other = b":".join([b"00"] * 32)
        await pair.caller.media.transport_from_mesh(fragment[:start] + other + fragment[start + 95 :])
        async with asyncio.timeout(5):
            status, reason = await pair.caller.media.failed()
        assert status == 403
        assert "certificate is not the announced one" in reason


async def test_a_peer_without_extended_master_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    original = dtls._PinnedCertificate._create_ssl_context

    def weakened(self: Any, srtp_profiles: Any) -> SSL.Context:
        context = original(self, srtp_profiles)
        context.set_options(1)  # SSL_OP_NO_EXTENDED_MASTER_SECRET
        return context

    monkeypatch.setattr(dtls._PinnedCertificate, "_create_ssl_context", weakened)
    async with call() as pair:
        await pair.ring()
        async with asyncio.timeout(5):
            status, reason = await pair.caller.media.failed()
        assert status == 488
        assert "extended master secret" in reason


async def test_the_side_of_a_confirmation_is_bound_into_it() -> None:
    ours, theirs = endorsers()
    other = await make_side("callee", theirs, parties=replace(PARTIES, caller_fingerprint="C" * 40))
    caller = await make_side("caller", ours)
    async with running(caller, other):
        pair = Pair(caller, other)
        await pair.ring()
        async with asyncio.timeout(5):
            statuses = {(await side.media.failed())[0] for side in (caller, other)}
        assert 403 in statuses
