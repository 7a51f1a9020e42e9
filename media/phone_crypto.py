"""SRTP between a node and its phones, under keys that their descriptions carry (SDES, RFC 4568)."""

import secrets
from collections.abc import Iterable, Mapping

from .aiortc_adapter.srtp import SUITES, Srtp
from .phone_leg import PhoneLeg
from .protocol.errors import MediaRefused
from .protocol.phone_side import with_keys
from .protocol.sdes import KEY_AND_SALT_BYTES, Crypto
from .protocol.sdp import SessionDescription
from .protocol.transport_lines import PLAIN


def secured(sdp: bytes, sections: Mapping[int, "PhoneCrypto"]) -> bytes:
    """Turn an offer of plain RTP into one of SRTP for one phone, under keys that stand in it."""
    offer = SessionDescription.parse(sdp)
    media = (
        with_keys(section, sections[index].offer())
        if section.port and section.profile in PLAIN and index in sections
        else section
        for index, section in enumerate(offer.media)
    )
    return bytes(offer.with_media(tuple(media)))


def own_keys(
    crypto: "PhoneCrypto", of_the_call: Iterable["PhoneCrypto"], *, is_offer: bool
) -> tuple[Crypto, ...]:
    """Return what the phone that is in the call is told: a section more is encrypted as the others are."""
    if not is_offer:
        return (crypto.own,) if crypto.own else ()
    return crypto.offer(insisting=True) if any(one.own for one in of_the_call) else ()


class PhoneCrypto:
    """One section's. `own` is the key that we encrypt with, None while RTP is plain.

    Each phone that is offered keys gets its own, under tags of its own: by the tag of its answer we know which, and one
    that was rung in vain knows nothing of the call. Under no key does SRTP ever begin anew: that would use its
    keystream twice.
    """

    def __init__(self, phone: PhoneLeg) -> None:
        self.own: Crypto | None = None
        self._phone = phone
        self._offered: dict[int, Crypto] = {}
        self._outbound: dict[bytes, Srtp] = {}
        self._theirs: Crypto | None = None
        self._insists = False

    def offer(self, *, insisting: bool = False) -> tuple[Crypto, ...]:
        """Return what a phone is offered: what is in use, else a new key for every suite.

        With `insisting` an answer in the clear will be refused. (In a first offer another phone, which is offered plain
        RTP, may be the one that answers.)
        """
        self._insists = self._insists or insisting
        if self.own is not None:
            return (self.own,)
        first = len(self._offered) + 1
        fresh = tuple(_fresh(tag, suite) for tag, suite in enumerate(KEY_AND_SALT_BYTES, first))
        self._offered.update((crypto.tag, crypto) for crypto in fresh)
        return fresh

    def take_offer(self, offered: tuple[Crypto, ...]) -> None:
        """Take the first of what the phone offers, or plain RTP if it offers no keys and never did in this call."""
        if not offered:
            self._use_none()
            return
        self._insists = True
        theirs, own = offered[0], self.own
        if own is None or own.suite != theirs.suite:
            own = _fresh(theirs.tag, theirs.suite)
        self._use(Crypto(theirs.tag, own.suite, own.key), theirs)

    def take_answer(self, answered: tuple[Crypto, ...]) -> None:
        """Take what the phone has chosen of our offer; raise `MediaRefused` when that was not in it."""
        if not answered:
            self._use_none()
            return
        theirs = answered[0]
        own = self.own if self.own and self.own.tag == theirs.tag else self._offered.get(theirs.tag)
        if own is None or own.suite != theirs.suite:
            raise MediaRefused("The phone has chosen an encryption that it was not offered")
        self._use(own, theirs)

    def _use_none(self) -> None:
        if self._insists:
            raise MediaRefused("The phone has stopped to encrypt in the middle of the call")
        self._use(None, None)

    def _use(self, own: Crypto | None, theirs: Crypto | None) -> None:
        if (own, theirs) == (self.own, self._theirs):
            return
        self.own, self._theirs = own, theirs
        if own is None or theirs is None:
            self._phone.secure(None)
            return
        if own.key not in self._outbound:
            self._outbound[own.key] = Srtp(SUITES[own.suite], own.key, outbound=True)
        inbound = Srtp(SUITES[theirs.suite], theirs.key, outbound=False)
        self._phone.secure((self._outbound[own.key], inbound))


def _fresh(tag: int, suite: str) -> Crypto:
    return Crypto(tag, suite, secrets.token_bytes(KEY_AND_SALT_BYTES[suite]))
