"""A leg to a party that lives in the node instead of a phone: no SIP, only offers and answers."""

from __future__ import annotations

from sipgate.ports import MediaRefused, Peer, Refusal, Service
from sipgate.protocol.refer import Refer

from .cause import Cause
from .joint import Side
from .leg import Acked, Answered, Failed, Junction, Payload, Progress, Reply
from .line import LOOPBACK


class ServiceLeg:
    """A or B leg: a service places a call, or answers one at once."""

    side: Side = "phone"
    session = b""  # a service is not sent on: it has nobody who would want to go
    local_host = remote_host = LOOPBACK

    def __init__(self, service: Service) -> None:
        self._service = service
        self._junction: Junction | None = None
        self._open = True

    def watch(self, junction: Junction) -> None:
        """Note the call: a service neither cancels nor hangs up by itself, its owner ends the call."""
        self._junction = junction

    def sit(self, junction: Junction) -> None:
        """Belong to another call."""
        self._junction = junction

    async def refer(self, refer: Refer, by: str) -> Reply:  # noqa: ARG002 - never asked: its node sends on itself
        """A service follows nobody."""
        return Reply(603, "A service cannot be sent on")

    async def report(self, status: int, text: str) -> None:
        """A service sends nobody on."""

    def present(self, peer: Peer) -> None:
        """A service reads no display."""

    async def offer(self) -> bytes:
        """Return the offer of a call that the service places."""
        return await self._service.offer()

    async def ring(self, status: int, sdp: bytes | None, fragment: bytes | None) -> None:
        """A service waits in silence; early media is left out."""

    async def answer(self, sdp: bytes) -> None:
        """The callee has picked up."""
        await self._service.answered(sdp)
        if self._junction is not None:
            self._junction.post(Acked())

    async def refuse(self, refusal: Refusal) -> None:  # noqa: ARG002 - the owner learns it from the call
        """The call did not come about."""
        await self._close()

    async def invite(self, offer: bytes, junction: Junction) -> None:
        """Ring for a moment, for the caller's sake, and pick up."""
        self._junction = junction
        junction.post(Progress(self, 180))
        try:
            junction.post(Answered(self, await self._service.answer(offer)))
        except MediaRefused as refused:
            junction.post(Failed(self, refused))

    async def confirm(self, fragment: bytes | None) -> None:
        """Nothing to confirm."""

    async def cancel(self, cause: Cause) -> None:  # noqa: ARG002 - nobody to tell
        """The caller gave up."""
        await self._close()

    async def bye(self, cause: Cause) -> None:  # noqa: ARG002 - nobody to tell
        """The call is over."""
        await self._close()

    async def reoffer(self, method: str, sdp: bytes) -> Reply:  # noqa: ARG002 - one way to answer
        """Answer a changed session."""
        try:
            return Reply(200, "OK", await self._service.answer(sdp))
        except MediaRefused as refused:
            return Reply(refused.status, refused.reason)

    async def cancel_reoffer(self) -> None:
        """The answer is on its way already."""

    async def pass_on(self, method: str, payload: Payload) -> Reply:  # noqa: ARG002 - taken and left
        """Take it in silence."""
        return Reply(200, "OK")

    async def aclose(self) -> None:
        """Free the service."""
        await self._close()

    async def _close(self) -> None:
        if self._open:
            self._open = False
            await self._service.aclose()
