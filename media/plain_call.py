"""The media of a call to a plain SIP domain: RTP in the clear with the far side, relayed to the phone.

Nothing there is encrypted, and no confirmation runs: whoever calls so has been told. What the phones agree on between
themselves (ZRTP) goes through.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from .errors import MediaRefused
from .phone_leg import PhoneLeg
from .protocol.nameless import nameless, nameless_rtcp
from .protocol.phone_side import PhoneMedia, plain_media
from .protocol.rtp import is_rtcp
from .protocol.sdp import SessionDescription
from .relay import Relay, RelaySide

if TYPE_CHECKING:
    from collections.abc import Iterator

_ORIGIN = re.compile(r"o=[^ ]+ ([0-9]{1,20}) ([0-9]{1,20}) IN IP[46] [^ ]+")


class FarLeg(PhoneLeg):
    """RTP with the far side: from the address that its description names, or from where its signalling is."""

    def allow(self, allowed: frozenset[str]) -> None:
        """Take RTP from these addresses from now on."""
        self._allowed = allowed


class FarSide(RelaySide):
    """The plain domain, whose signalling is at `peer_host`. `may_reach` tells whether it may be sent to an address."""

    def __init__(
        self, host: str, peer_host: str, may_reach: Callable[[str], bool], *, anonymous: bool
    ) -> None:
        super().__init__(host, frozenset({peer_host}))
        self._may_reach = may_reach
        self._anonymous = anonymous

    def make_leg(self) -> PhoneLeg:
        """Return a leg of this side, still closed."""
        return FarLeg(self.host, self._allowed)

    @contextmanager
    def blame(self) -> Iterator[None]:
        """Refuse in words that do not blame the own phone."""
        try:
            yield
        except MediaRefused as refused:
            raise MediaRefused(
                "The other side wants media that cannot be relayed in the clear", status=refused.status
            ) from refused

    def read(self, description: SessionDescription) -> Sequence[PhoneMedia | None]:
        """Return where this side takes each section; keys have no place where everybody reads them."""
        return plain_media(description)

    def aim(self, leg: PhoneLeg, side: PhoneMedia) -> None:
        """Send where the description says, if we may; else where the first packet comes from.

        A far side behind a NAT describes an address that nobody can reach: its packets come from where its
        signalling comes from.
        """
        named = {side.host} if side.host is not None and self._may_reach(side.host) else set()
        assert isinstance(leg, FarLeg)
        leg.allow(self._allowed | named)
        leg.aim(side)

    def described(
        self, description: SessionDescription, sides: Sequence[PhoneMedia | None], *, is_offer: bool
    ) -> SessionDescription:
        """Return a description that does not tell the address of the phone, nor its user's name there."""
        told = nameless(description) if self._anonymous else description
        written = super().described(told, sides, is_offer=is_offer)
        return replace(written, lines=tuple(self._with_our_origin(line) for line in written.lines))

    def _with_our_origin(self, line: str) -> str:
        found = _ORIGIN.fullmatch(line)
        if found is None:
            return line
        version = ipaddress.ip_address(self.host).version
        return f"o=- {found[1]} {found[2]} IN IP{version} {self.host}"


class PlainCall(Relay):
    """The media of one such call.

    `phone_host` is our address as the phone sees it, `far_host` as the far side does, whose signalling is at
    `peer_host`. `may_reach` tells whether RTP may be sent to an address that the far side names. `anonymous` keeps
    back what tells whose phone ours is, as in `CallMedia`.
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
        far = FarSide(far_host, peer_host, may_reach, anonymous=anonymous)
        super().__init__(RelaySide(phone_host, phone_allowed), far)
        self._anonymous = anonymous

    def join(self, near: PhoneLeg, far: PhoneLeg) -> None:
        """Pass on what comes, both ways; of an anonymous phone without what tells whose it is."""
        super().join(near, far)
        if self._anonymous:
            near.sink = partial(_send_nameless, far)
            near.zrtp_sink = far.zrtp_sink = None


def _send_nameless(far: PhoneLeg, packet: bytes) -> None:
    if not is_rtcp(packet):
        far.send(packet)
    elif told := nameless_rtcp(packet):
        far.send(told)
