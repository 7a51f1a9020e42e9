"""The media of a call to a plain SIP domain: RTP in the clear, relayed between the phone and the far side.

Nothing here is encrypted, and no confirmation runs: whoever calls so has been told. What the phones agree on between
themselves (ZRTP) goes through.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import MediaError, MediaRefused
from .phone_crypto import PhoneCrypto, own_keys, secured
from .phone_leg import PhoneLeg
from .protocol.nameless import nameless, nameless_rtcp
from .protocol.phone_side import OwnPort, PhoneMedia, for_phone, phone_media
from .protocol.rtp import is_rtcp
from .protocol.sdes import Crypto
from .protocol.sdp import SessionDescription

if TYPE_CHECKING:
    from collections.abc import Iterator

_ORIGIN = re.compile(r"o=[^ ]+ ([0-9]{1,20}) ([0-9]{1,20}) IN IP[46] [^ ]+")


class FarLeg(PhoneLeg):
    """RTP with the far side: from the address that its description names, or from where its signalling is."""

    def aim_at(self, media: PhoneMedia, peer_host: str, may_reach: Callable[[str], bool]) -> None:
        """Send where the far side's latest description says, if it may; else where its first packet comes from.

        A far side behind a NAT describes an address that nobody can reach: its packets come from where its
        signalling comes from.
        """
        named = {media.host} if media.host is not None and may_reach(media.host) else set()
        self._allowed = frozenset({peer_host, *named})
        self.aim(media)


@dataclass
class _Section:
    phone: PhoneLeg
    far: FarLeg
    crypto: PhoneCrypto

    def join(self, *, anonymous: bool) -> None:
        """Pass on what comes, both ways, as it is; of an anonymous phone without what tells whose it is."""
        self.phone.sink = self._send_nameless if anonymous else self.far.send
        self.far.sink = self.phone.send
        if not anonymous:
            self.phone.zrtp_sink, self.far.zrtp_sink = self.far.send, self.phone.send

    def _send_nameless(self, packet: bytes) -> None:
        if not is_rtcp(packet):
            self.far.send(packet)
        elif told := nameless_rtcp(packet):
            self.far.send(told)


class PlainCall:
    """The media of one call. `aclose()` frees it.

    `phone_host` is our address as the phone sees it, `far_host` as the far side does, whose signalling is at
    `peer_host`. `may_reach` tells whether RTP may be sent to an address that the far side names. `anonymous`
    keeps back what tells whose phone ours is, as in `CallMedia`. The methods take and return SDP bytes, raise
    `MediaRefused` and are called one at a time.
    """

    def __init__(
        self,
        *,
        phone_host: str,
        phone_allowed: frozenset[str],
        far_host: str,
        peer_host: str,
        may_reach: Callable[[str], bool],
        anonymous: bool = False,
    ) -> None:
        self._anonymous = anonymous
        self._phone_host = phone_host
        self._phone_allowed = phone_allowed
        self._far_host = far_host
        self._peer_host = peer_host
        self._may_reach = may_reach
        self._sections: dict[int, _Section] = {}
        self._offer: SessionDescription | None = None
        self._is_closed = False

    async def offer_from_phone(self, sdp: bytes) -> bytes:
        """Turn the phone's offer or re-offer into the one for the far side."""
        offer = self._parse(sdp)
        sides = phone_media(offer)
        await self._open_sections(sides)
        self._aim_at_phone(sides, PhoneCrypto.take_offer)
        self._offer = offer
        return self._for_far_side(offer, sides, is_offer=True)

    async def answer_from_mesh(self, sdp: bytes) -> bytes:
        """Turn the far side's answer into the phone's."""
        with _in_its_name():
            answer = self._parse_answer(sdp)
            sides = _in_the_clear(answer)
        self._check_fits(sides)
        self._aim_at_far_side(sides)
        return self._for_phone(answer, sides, is_offer=False)

    async def offer_from_mesh(self, sdp: bytes) -> bytes:
        """Turn the far side's offer or re-offer into the phone's."""
        with _in_its_name():
            offer = self._parse(sdp)
            sides = _in_the_clear(offer)
        await self._open_sections(sides)
        self._aim_at_far_side(sides)
        self._offer = offer
        return self._for_phone(offer, sides, is_offer=True)

    async def answer_from_phone(self, sdp: bytes) -> bytes:
        """Turn the phone's answer into the far side's."""
        answer = self._parse_answer(sdp)
        sides = phone_media(answer)
        self._check_fits(sides)
        self._aim_at_phone(sides, PhoneCrypto.take_answer)
        return self._for_far_side(answer, sides, is_offer=False)

    def secure_offer(self, sdp: bytes) -> bytes:
        """Turn an offer for our phones into one for a phone that has to encrypt."""
        return secured(sdp, {index: section.crypto for index, section in self._sections.items()})

    async def connected(self) -> None:
        """Return at once: a plain domain proves nothing."""

    def transport_fragment(self) -> bytes | None:
        """There is no transport beside the description."""
        return None

    async def transport_from_mesh(self, fragment: bytes) -> None:
        """A plain domain sends none; what comes is left."""

    async def failed(self) -> tuple[int, str]:
        """Wait for ever: without consent checks silence may be meant; the signalling finds out who is gone."""
        await asyncio.Event().wait()
        raise AssertionError("nothing sets this event")

    async def aclose(self) -> None:
        """Close all ports. May be called in any state, more than once."""
        self._is_closed = True
        sections, self._sections = self._sections, {}
        for section in sections.values():
            await section.phone.aclose()
            await section.far.aclose()

    def _parse(self, sdp: bytes) -> SessionDescription:
        if self._is_closed:
            raise MediaRefused("The call is over")
        return SessionDescription.parse(sdp)

    def _parse_answer(self, sdp: bytes) -> SessionDescription:
        answer = self._parse(sdp)
        offered = [section.media for section in self._offer.media] if self._offer else []
        if [section.media for section in answer.media] != offered:
            raise MediaRefused("The answer does not fit the offer")
        return answer

    async def _open_sections(self, sides: Sequence[PhoneMedia | None]) -> None:
        for index, side in enumerate(sides):
            if side is None or index in self._sections:
                continue
            phone = PhoneLeg(self._phone_host, self._phone_allowed)
            far = FarLeg(self._far_host, frozenset({self._peer_host}))
            try:
                await phone.open()
                await far.open()
            except MediaError as error:
                await phone.aclose()
                raise MediaRefused(error.reason, status=error.status) from error
            section = self._sections[index] = _Section(phone, far, PhoneCrypto(phone))
            section.join(anonymous=self._anonymous)

    def _check_fits(self, sides: Sequence[PhoneMedia | None]) -> None:
        if any(side is not None and index not in self._sections for index, side in enumerate(sides)):
            raise MediaRefused("The answer does not fit the offer")

    def _aim_at_phone(
        self, sides: Sequence[PhoneMedia | None], take: Callable[[PhoneCrypto, tuple[Crypto, ...]], None]
    ) -> None:
        for index, side in enumerate(sides):
            if side is not None:
                take(self._sections[index].crypto, side.keys)
                self._sections[index].phone.aim(side)

    def _aim_at_far_side(self, sides: Sequence[PhoneMedia | None]) -> None:
        for index, side in enumerate(sides):
            if side is not None:
                self._sections[index].far.aim_at(side, self._peer_host, self._may_reach)

    def _for_phone(
        self, description: SessionDescription, sides: Sequence[PhoneMedia | None], *, is_offer: bool
    ) -> bytes:
        ports = [
            _own_port(self._sections[index].phone, self._keys(index, is_offer=is_offer), is_offer=is_offer)
            if side
            else None
            for index, side in enumerate(sides)
        ]
        return bytes(for_phone(description, self._phone_host, ports))

    def _keys(self, index: int, *, is_offer: bool) -> tuple[Crypto, ...]:
        of_the_call = (one.crypto for one in self._sections.values())
        return own_keys(self._sections[index].crypto, of_the_call, is_offer=is_offer)

    def _for_far_side(
        self, description: SessionDescription, sides: Sequence[PhoneMedia | None], *, is_offer: bool
    ) -> bytes:
        ports = [
            _own_port(self._sections[index].far, (), is_offer=is_offer) if side else None
            for index, side in enumerate(sides)
        ]
        told = nameless(description) if self._anonymous else description
        written = for_phone(told, self._far_host, ports)
        lines = tuple(self._with_our_origin(line) for line in written.lines)
        return bytes(SessionDescription(lines, written.media))

    def _with_our_origin(self, line: str) -> str:
        """Return an o= line that does not tell the address of the phone, nor its user's name there."""
        found = _ORIGIN.fullmatch(line)
        if found is None:
            return line
        version = ipaddress.ip_address(self._far_host).version
        return f"o=- {found[1]} {found[2]} IN IP{version} {self._far_host}"


def _own_port(leg: PhoneLeg, keys: tuple[Crypto, ...], *, is_offer: bool) -> OwnPort:
    return OwnPort(leg.port, mux=leg.mux and not is_offer, keys=keys)


def _in_the_clear(description: SessionDescription) -> tuple[PhoneMedia | None, ...]:
    sides = phone_media(description)
    if any(side is not None and side.keys for side in sides):
        raise MediaRefused("Encrypted media")
    return sides


@contextmanager
def _in_its_name() -> Iterator[None]:
    """Refuse in words that do not blame the own phone."""
    try:
        yield
    except MediaRefused as refused:
        raise MediaRefused(
            "The other side wants media that cannot be relayed in the clear", status=refused.status
        ) from refused
