"""Legs that only remember what their call asked of them, and a media that marks what it has seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sipgate.calls.cause import Cause
from sipgate.calls.joint import Side
from sipgate.calls.leg import Acked, Answered, Failed, HungUp, Junction, Leg, Payload, Progress, Reply
from sipgate.calls.sent_on import SentOn
from sipgate.ports import MediaRefused, Peer, Refusal
from sipgate.protocol.refer import Refer
from sipgate.protocol.uri import Uri

PEER = Peer("sip:bob@mesh", "bob", "pinned", "F" * 40, bytes(32), known=True)


class FakeLeg:
    def __init__(self, side: Side, *, acks: bool = True) -> None:
        self._side: Side = side
        self.acks = acks
        self.log: list[str] = []
        self.invited = asyncio.Event()
        self.finished = asyncio.Event()
        self.answers_reoffer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.answers_refer = Reply(202, "Accepted")
        self.closed = 0

    @property
    def side(self) -> Side:
        return self._side

    def watch(self, junction: Junction) -> None:
        self.junction = junction

    session = b"v=0"
    local_host = remote_host = "127.0.0.1"

    def sit(self, junction: Junction) -> None:
        self.junction = junction

    async def refer(self, refer: Refer, by: str) -> Reply:
        self.log.append(f"refer {refer.refer_to()} by {by}")
        return self.answers_refer

    async def report(self, status: int, text: str) -> None:
        self.log.append(f"report {status} {text}")

    def present(self, peer: Peer) -> None:
        self.log.append(f"present {peer.display_name}")

    async def ring(self, status: int, sdp: bytes | None, fragment: bytes | None) -> None:
        self.log.append(" ".join(["ring", str(status), *(part.decode() for part in (sdp, fragment) if part)]))

    async def answer(self, sdp: bytes) -> None:
        self.log.append(f"answer {sdp.decode()}")
        if self.acks:
            self.junction.post(Acked())

    async def refuse(self, refusal: Refusal) -> None:
        self.log.append(f"refuse {refusal.status}")

    async def invite(self, offer: bytes, junction: Junction) -> None:
        self.junction = junction
        self.log.append(f"invite {offer.decode()}")
        self.invited.set()
        await self.finished.wait()

    async def confirm(self, fragment: bytes | None) -> None:
        self.log.append("ack" if fragment is None else f"ack {fragment.decode()}")

    async def cancel(self, cause: Cause) -> None:
        self.log.append(f"cancel {cause.status}")

    async def bye(self, cause: Cause) -> None:
        self.log.append(f"bye {cause.status}")
        self.finished.set()

    async def reoffer(self, method: str, sdp: bytes) -> Reply:
        self.log.append(f"{method} {sdp.decode()}")
        return await self.answers_reoffer

    async def cancel_reoffer(self) -> None:
        self.answers_reoffer.set_result(Reply(487, "cancelled"))

    async def pass_on(self, method: str, payload: Payload) -> Reply:
        self.log.append(f"{method} {payload.body.decode()}")
        return Reply(200, "OK")

    async def aclose(self) -> None:
        self.closed += 1

    # what the other side does

    def rings(self, status: int = 180, sdp: bytes | None = None, fragment: bytes | None = None) -> None:
        self.junction.post(Progress(self, status, sdp, fragment))

    def answers(self, sdp: bytes = b"answer") -> None:
        self.junction.post(Answered(self, sdp))

    def fails(self, status: int) -> None:
        self.junction.post(Failed(self, Refusal(status, f"says {status}")))
        self.finished.set()

    def hangs_up(self) -> None:
        self.junction.post(HungUp(self, Cause(200, "bye")))


@dataclass
class FakeExchange:
    """What transfers ask of the node; `sends` is what a phone that is sent on becomes."""

    refuses: Refusal | None = None
    sends: Callable[[FakeLeg, FakeLeg], SentOn] | None = None
    told: list[str] = field(default_factory=list)

    async def send_on(self, transferor: Leg, phone: Leg, refer: Refer) -> SentOn:  # noqa: ARG002 - the test decides
        if self.refuses is not None:
            raise self.refuses
        assert self.sends is not None
        assert isinstance(transferor, FakeLeg)
        assert isinstance(phone, FakeLeg)
        return self.sends(transferor, phone)

    async def for_mesh(self, transferor: Leg, refer: Refer) -> tuple[Refer, str]:  # noqa: ARG002 - one user
        if self.refuses is not None:
            raise self.refuses
        return replace(refer, target=Uri.parse("sip:carol@mesh")), "sip:alice@mesh"

    def succeeded(self, transferor: Leg, target: str) -> None:  # noqa: ARG002 - one user
        self.told.append(target)


def _open() -> asyncio.Event:
    way = asyncio.Event()
    way.set()
    return way


@dataclass
class FakeMedia:
    """Appends which way the SDP went; sound has a `way` at once, unless the test wants it to take its time."""

    refuses: set[bytes] = field(default_factory=set)
    fragment: bytes | None = b"own-fragment"
    taken: list[bytes] = field(default_factory=list)
    closed: int = 0
    way: asyncio.Event = field(default_factory=_open)
    failure: asyncio.Future[tuple[int, str]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def _turn(self, sdp: bytes, mark: bytes) -> bytes:
        if sdp in self.refuses:
            raise MediaRefused(488, "no codec in common")
        return sdp + mark

    async def offer_from_phone(self, sdp: bytes) -> bytes:
        return self._turn(sdp, b">mesh")

    async def answer_from_mesh(self, sdp: bytes) -> bytes:
        return self._turn(sdp, b">phone")

    async def offer_from_mesh(self, sdp: bytes) -> bytes:
        return self._turn(sdp, b">phone")

    async def answer_from_phone(self, sdp: bytes) -> bytes:
        return self._turn(sdp, b">mesh")

    def secure_offer(self, sdp: bytes, _said: bytes, *, by_dtls: bool, rings_alone: bool) -> bytes:  # noqa: ARG002 - see the tests of media
        return sdp + (b">srtp alone" if rings_alone else b">srtp")

    def transport_fragment(self) -> bytes | None:
        return self.fragment

    async def transport_from_mesh(self, fragment: bytes) -> None:
        self.taken.append(fragment)

    async def connected(self) -> None:
        await self.way.wait()

    async def transport_renewal(self) -> bytes:
        await asyncio.Event().wait()
        return b""

    async def renew_transport(self, fragment: bytes) -> bytes:
        self.taken.append(fragment)
        return b"own-fragment"

    async def failed(self) -> tuple[int, str]:
        return await self.failure

    async def aclose(self) -> None:
        self.closed += 1
