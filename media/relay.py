"""Media that a node relays from one side to the other as RTP, each side plain or under keys of its own (SDES, DTLS).

For two phones of this node that cannot talk directly: one encrypts and the other one does not, or they are on
networks that do not see each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from .errors import MediaError, MediaRefused
from .life import Life
from .phone_association import DtlsCall
from .phone_keys import PhoneKeys, Take, encrypted
from .phone_leg import PhoneLeg
from .protocol.phone_side import PhoneMedia, for_phone, phone_media, without_dtls
from .protocol.sdp import SessionDescription


class RelaySide:
    """One side: a leg for each section. `host` is our address as that side sees it; RTP comes from `allowed` only."""

    def __init__(self, host: str, allowed: frozenset[str]) -> None:
        self.legs: dict[int, PhoneLeg] = {}
        self.keys: dict[int, PhoneKeys] = {}
        self.host = host
        self._allowed = allowed

    def make_leg(self) -> PhoneLeg:
        """Return a leg of this side, still closed."""
        return PhoneLeg(self.host, self._allowed)

    def blame(self) -> AbstractContextManager[None]:
        """Return what says in this side's words why it is refused."""
        return nullcontext()

    def read(self, description: SessionDescription) -> Sequence[PhoneMedia | None]:
        """Return where this side takes each section; raise `MediaRefused`."""
        return phone_media(description)

    def take(self, sides: Sequence[PhoneMedia | None], take: Take) -> None:
        """Send where this side's description says, under what it says of keys."""
        for index, keys in self.keys.items():
            side = sides[index] if index < len(sides) else None
            take(keys, side)
            if side is not None:
                self.aim(self.legs[index], side)

    def aim(self, leg: PhoneLeg, side: PhoneMedia) -> None:
        """Send one section where this side wants it."""
        leg.aim(side)

    def settle(self, sides: Sequence[PhoneMedia | None]) -> None:
        """This side's latest offer is being answered: `sides` are on."""
        for index, keys in self.keys.items():
            keys.settle(is_on=sides[index] is not None)

    async def keyed(self) -> None:
        """Wait until this side has set up what it has agreed to."""
        for keys in self.keys.values():
            await keys.dtls.keyed()

    def described(
        self, description: SessionDescription, sides: Sequence[PhoneMedia | None], *, is_offer: bool
    ) -> SessionDescription:
        """Return the other side's description with our ports on this side; what is off gets port 0."""
        ports = [
            self.keys[index].own_port(self.keys.values(), is_offer=is_offer) if side else None
            for index, side in enumerate(sides)
        ]
        return for_phone(description, self.host, ports)


class Relay:
    """The media of one call. Start `run()` at once in a supervised task, as it owns the tasks of the call; `aclose()`
    ends and frees it. The caller is on the `near` side, the callee on the `far` one.

    The methods take and return SDP bytes, raise `MediaRefused` and are called one at a time. Their names are those of
    `CallMedia`: the near side stands where the phone does there, the far side where the mesh does.
    """

    def __init__(self, near: RelaySide, far: RelaySide) -> None:
        self._near = near
        self._far = far
        self._offer: SessionDescription | None = None
        self._life = Life()
        self._phones = {near: DtlsCall(self._life.start), far: DtlsCall(self._life.start)}

    async def run(self) -> None:
        """Own the tasks of this call until `aclose()`; what a phone does raises nothing."""
        await self._life.run(self._release)

    async def offer_from_phone(self, sdp: bytes) -> bytes:
        """Turn the near side's offer or re-offer into the one for the far side."""
        return await self._offered(self._near, self._far, sdp)

    async def answer_from_mesh(self, sdp: bytes) -> bytes:
        """Turn the far side's answer into the near side's."""
        return self._answered(self._far, self._near, sdp)

    async def offer_from_mesh(self, sdp: bytes) -> bytes:
        """Turn the far side's offer or re-offer into the one for the near side."""
        return await self._offered(self._far, self._near, sdp)

    async def answer_from_phone(self, sdp: bytes) -> bytes:
        """Turn the near side's answer into the far side's."""
        return self._answered(self._near, self._far, sdp)

    def secure_offer(
        self,
        sdp: bytes,
        said: bytes,
        *,
        by_dtls: bool = False,
        rings_alone: bool = False,  # noqa: ARG002 - the same for all
    ) -> bytes:
        """Turn an offer for a phone on either side into one for a phone that has to encrypt, and `said` this last."""
        keys = (*self._near.keys.values(), *self._far.keys.values())
        return encrypted(sdp, keys, said, by_dtls=by_dtls)

    def transport_fragment(self) -> bytes | None:
        """There is no transport beside the description."""
        return None

    async def transport_from_mesh(self, fragment: bytes) -> None:
        """Neither side sends one; what comes is left."""

    async def transport_renewal(self) -> bytes:
        """Wait for ever: there is no transport to tell anew."""
        await asyncio.Event().wait()
        return b""

    async def renew_transport(self, data: bytes) -> bytes:  # noqa: ARG002 - the same for all
        """Refuse: there is none."""
        raise MediaRefused("There is no transport beside the description")

    async def connected(self) -> None:
        """Wait until the phone that was called has keys, if they come by DTLS; else nothing is proven here.

        Called when the call is answered: the phone that calls begins as soon as it hears of that.
        """
        self._phones[self._far].expected.set()
        await self._far.keyed()
        self._phones[self._near].expected.set()

    async def failed(self) -> tuple[int, str]:
        """Wait until a phone's DTLS has failed; return (status, reason).

        Without consent checks silence may be meant; else the signalling finds out who is gone.
        """
        return await self._life.failed()

    async def aclose(self) -> None:
        """End the tasks, close all ports. May be called in any state, more than once."""
        await self._life.aclose(self._release)

    async def _release(self) -> None:
        for side in (self._near, self._far):
            for keys in side.keys.values():
                keys.close()
            legs, side.legs = side.legs, {}
            for leg in legs.values():
                await leg.aclose()

    def join(self, near: PhoneLeg, far: PhoneLeg) -> None:
        """Pass on what comes, both ways, as it is."""
        near.sink = near.zrtp_sink = far.send
        far.sink = far.zrtp_sink = near.send

    async def _offered(self, by: RelaySide, to: RelaySide, sdp: bytes) -> bytes:
        with by.blame():
            described = self._parse(sdp)
            sides = by.read(described)
        offer = without_dtls(described, sides)
        await self._open_sections(sides)
        by.take(sides, PhoneKeys.take_offer)
        self._offer = offer
        return bytes(to.described(offer, sides, is_offer=True))

    def _answered(self, by: RelaySide, to: RelaySide, sdp: bytes) -> bytes:
        with by.blame():
            described = self._parse(sdp)
            offered = [section.media for section in self._offer.media] if self._offer else []
            if [section.media for section in described.media] != offered:
                raise MediaRefused("The answer does not fit the offer")
            sides = by.read(described)
        answer = without_dtls(described, sides, self._offer)
        if any(side is not None and index not in by.legs for index, side in enumerate(sides)):
            raise MediaRefused("The answer does not fit the offer")
        by.take(sides, PhoneKeys.take_answer)
        to.settle(sides)
        return bytes(to.described(answer, sides, is_offer=False))

    def _parse(self, sdp: bytes) -> SessionDescription:
        self._life.check_open()
        return SessionDescription.parse(sdp)

    async def _open_sections(self, sides: Sequence[PhoneMedia | None]) -> None:
        for index, side in enumerate(sides):
            if side is None or index in self._near.legs:
                continue
            near, far = self._near.make_leg(), self._far.make_leg()
            try:
                await near.open()
                await far.open()
            except MediaError as error:
                await near.aclose()
                raise MediaRefused(error.reason, status=error.status) from error
            self.join(near, far)
            for side_of, leg in ((self._near, near), (self._far, far)):
                side_of.legs[index], side_of.keys[index] = leg, PhoneKeys(leg, self._phones[side_of])
