"""The joint between the legs of one call: what one side's SDP becomes on the other side."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Collection
from typing import TYPE_CHECKING, Literal

from sipgate.ports import CallMedia, MediaRefused
from sipgate.protocol.media_lines import has_fingerprint, has_keys, is_encrypted

if TYPE_CHECKING:
    from .leg import Leg
    from .line import Line

logger = logging.getLogger(__name__)

Side = Literal["phone", "mesh"]

PATIENCE = 10.0  # seconds: an offer that gathers candidates takes the longest


class Joint:
    """Passes offers and answers through the media of `call`; where phones of one node talk directly it is a plain wire.

    Where the node relays between two of its phones, those called (`far`) stand on the side of the mesh. `rings_alone`
    says that one phone is called and no other.

    Remembers the early answer of a leg, so that the same SDP again in its 2xx is not answered twice.
    """

    def __init__(self, call: str = "") -> None:
        self.call = call
        self.media: CallMedia | None = None
        self.far: Collection[Leg] = ()
        self.rings_alone = False
        self._answers: dict[bytes, bytes] = {}
        self._is_closed = False

    def side_of(self, leg: Leg) -> Side:
        """Return the side of the media where a leg stands."""
        return "mesh" if leg in self.far else leg.side

    async def offer(self, side: Side, sdp: bytes) -> bytes:
        """Return what the other side is offered; raise `MediaRefused`."""
        self._answers.clear()
        if self.media is None:
            return sdp
        turn = self.media.offer_from_phone if side == "phone" else self.media.offer_from_mesh
        return await self._patiently(turn(sdp))

    def fit(self, offer: bytes, line: Line, said: bytes = b"") -> bytes:
        """Return an offer as the other side of a line, which has `said` this last, is to get it.

        Raise `MediaRefused` when it must not get it.
        """
        does_srtp = has_keys(said) or (has_fingerprint(said) and is_encrypted(said))
        if (line.must_encrypt or does_srtp) and self.media is not None:
            offer = self.media.secure_offer(offer, said, by_dtls=line.by_dtls, rings_alone=self.rings_alone)
        line.check(offer)
        return offer

    async def answer(self, side: Side, sdp: bytes) -> bytes:
        """Return what the other side is answered; raise `MediaRefused`."""
        if not sdp:
            raise MediaRefused(488, "The answer came without a session description")
        if self.media is None:
            return sdp
        if sdp not in self._answers:
            turn = self.media.answer_from_phone if side == "phone" else self.media.answer_from_mesh
            self._answers = {sdp: await self._patiently(turn(sdp))}
        return self._answers[sdp]

    async def connected(self) -> None:
        """Wait until sound has a way in both directions; between two phones of one node it is theirs to find."""
        if self.media is not None:
            await self.media.connected()

    def fragment(self) -> bytes | None:
        """Return our transport for the peer, if the media has one to send."""
        return self.media.transport_fragment() if self.media else None

    async def take_fragment(self, fragment: bytes) -> None:
        """Take the peer's transport. A fragment that is no good is left aside: the answer brings it again."""
        if self.media is None:
            return
        try:
            await self.media.transport_from_mesh(fragment)
        except MediaRefused as refused:
            logger.info("a transport fragment was not usable: %s", refused.status)

    async def renewal(self) -> bytes:
        """Wait until the peer has to know our transport anew; return it, nothing when there is no such thing."""
        if self.media is None or self._is_closed:
            return b""
        return await self.media.transport_renewal()

    async def renew(self, fragment: bytes) -> bytes:
        """Take the peer's transport in the middle of the call; return ours. Raise `MediaRefused`."""
        if self.media is None:
            raise MediaRefused(488, "This call has no transport of its own")
        return await self._patiently(self.media.renew_transport(fragment))

    async def aclose(self) -> None:
        """Free the media."""
        self._is_closed = True
        if self.media is not None:
            await self.media.aclose()

    async def _patiently(self, turn: Awaitable[bytes]) -> bytes:
        try:
            async with asyncio.timeout(PATIENCE):
                return await turn
        except TimeoutError:
            raise MediaRefused(500, "The media of this call could not be prepared in time") from None
