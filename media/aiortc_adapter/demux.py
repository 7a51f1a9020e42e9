"""One ICE socket: what comes is told apart by its first byte, and checks are repeated early."""

# ruff: noqa: SLF001 - this package is where private seams are touched; a contract test watches them

import asyncio
import struct
from typing import TYPE_CHECKING, Any

import aioice.ice
import aioice.stun

from media.protocol.rtp import is_dtls, is_srtp, is_stun

if TYPE_CHECKING:
    from .ice import IceConnection

Address = tuple[str, int]

EARLY_REPEATS = (0.08, 0.2, 0.35, 0.8)

# What a hostile STUN message can raise out of aioice's parser and of its handling of a request.
_STUN_ERRORS = (ValueError, LookupError, struct.error, AssertionError, TypeError, OverflowError)


class DemuxProtocol(aioice.ice.StunProtocol):
    """One ICE socket: SRTP and DTLS are told from STUN by their first byte, before anything is parsed."""

    receiver: "IceConnection"

    def datagram_received(self, data: Any, addr: tuple[Any, ...]) -> None:
        """Pass a datagram on by its first byte (RFC 7983); what is malformed is counted and dropped."""
        ice = self.receiver
        sink = ice._on_srtp
        if sink and data and addr == ice._known and 127 < data[0] < 192:
            sink(data)  # nearly all that comes, with no call more than it takes
            return
        if not data or isinstance(data, str):
            ice.drop("empty")
            return
        first = data[0]
        if is_srtp(first):
            ice.srtp_received(data, (addr[0], addr[1]))
        elif is_dtls(first):
            ice.dtls_received(data, (addr[0], addr[1]))
        elif is_stun(first):
            self._stun_received(data, addr)
        else:
            ice.drop("not_media")

    def _stun_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        ice = self.receiver
        if not ice.may_learn((addr[0], addr[1])):
            ice.drop("too_many_candidates")
            return
        try:
            super().datagram_received(data, addr)
        except _STUN_ERRORS:
            ice.drop("bad_stun")

    def send_stun(self, message: aioice.stun.Message, addr: Address) -> None:
        """Send a STUN message, unless the socket has been closed meanwhile."""
        if not self.transport.is_closing():
            super().send_stun(message, addr)

    async def request(
        self,
        request: aioice.stun.Message,
        addr: Address,
        integrity_key: bytes | None = None,
        retransmissions: int | None = None,
    ) -> tuple[aioice.stun.Message, Address]:
        """Ask, and note that the peer has answered: aioice lets only responses with integrity through.

        A check (whose number of repeats is left to aioice) is repeated early a few times: aioice waits half a second,
        and on a wire that loses a tenth every fifth check goes unanswered. It is the same request, answered the same.
        """
        later = asyncio.get_running_loop().call_later
        delays = EARLY_REPEATS if retransmissions is None else ()
        repeats = [later(delay, self.send_stun, request, addr) for delay in delays]
        try:
            answer = await super().request(request, addr, integrity_key, retransmissions)
        finally:
            for repeat in repeats:
                repeat.cancel()
        self.receiver.heard = True
        return answer
