"""SRTP between a node and one of its phones, under keys that their descriptions carry (SDES, RFC 4568)."""

import secrets
from collections.abc import Mapping

from .aiortc_adapter.srtp import SUITES, Srtp
from .phone_leg import PhoneLeg
from .protocol.errors import MediaRefused
from .protocol.phone_side import with_keys
from .protocol.sdes import KEY_AND_SALT_BYTES, Crypto
from .protocol.sdp import SessionDescription
from .protocol.transport_lines import PLAIN


def secured(sdp: bytes, sections: Mapping[int, "PhoneCrypto"]) -> bytes:
    """Turn an offer of plain RTP for a phone into one of SRTP, under keys that stand in it."""
    offer = SessionDescription.parse(sdp)
    media = (
        with_keys(section, sections[index].offer())
        if section.port and section.profile in PLAIN and index in sections
        else section
        for index, section in enumerate(offer.media)
    )
    return bytes(offer.with_media(tuple(media)))


class PhoneCrypto:
    """One section's. Its own keys are drawn once for each suite; `own` is the one in use, None while RTP is plain."""

    def __init__(self, phone: PhoneLeg) -> None:
        self.own: Crypto | None = None
        self._phone = phone
        self._keys: dict[str, bytes] = {}
        self._outbound: dict[str, Srtp] = {}
        self._theirs: Crypto | None = None

    def offer(self) -> tuple[Crypto, ...]:
        """Return what a phone is offered: what is in use, else every suite."""
        if self.own is not None:
            return (self.own,)
        return tuple(self._own(tag, suite) for tag, suite in enumerate(KEY_AND_SALT_BYTES, 1))

    def take_offer(self, offered: tuple[Crypto, ...]) -> None:
        """Take the first of what the phone offers, or plain RTP if it offers no keys."""
        self._use(offered[0] if offered else None)

    def take_answer(self, answered: tuple[Crypto, ...]) -> None:
        """Take what the phone has chosen of our offer; raise `MediaRefused` when that was not in it."""
        if answered and (answered[0].tag, answered[0].suite) not in [
            (own.tag, own.suite) for own in self.offer()
        ]:
            raise MediaRefused("The phone has chosen an encryption that it was not offered")
        self._use(answered[0] if answered else None)

    def _use(self, theirs: Crypto | None) -> None:
        if theirs == self._theirs:
            return
        self._theirs = theirs
        if theirs is None:
            self.own = None
            self._phone.secure(None)
            return
        self.own = self._own(theirs.tag, theirs.suite)
        if (
            theirs.suite not in self._outbound
        ):  # once: to begin anew under the same key would use its keystream twice
            self._outbound[theirs.suite] = Srtp(SUITES[theirs.suite], self.own.key, outbound=True)
        inbound = Srtp(SUITES[theirs.suite], theirs.key, outbound=False)
        self._phone.secure((self._outbound[theirs.suite], inbound))

    def _own(self, tag: int, suite: str) -> Crypto:
        return Crypto(
            tag, suite, self._keys.setdefault(suite, secrets.token_bytes(KEY_AND_SALT_BYTES[suite]))
        )
