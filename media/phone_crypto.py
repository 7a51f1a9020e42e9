"""SRTP between a node and one of its phones, under keys that their descriptions carry (SDES, RFC 4568)."""

import secrets
from collections.abc import Iterable, Sequence
from weakref import WeakValueDictionary

from .aiortc_adapter.srtp import SUITES, Srtp
from .phone_leg import PhoneLeg
from .protocol.errors import MediaRefused
from .protocol.phone_side import keys_of, with_keys
from .protocol.sdes import KEY_AND_SALT_BYTES, Crypto
from .protocol.sdp import MediaDescription, SessionDescription
from .protocol.transport_lines import PLAIN
from .sealing import Opener, Sealer

MAX_OFFERED = 64
"""Keys that an answer may still choose, of one section: more than a call to all phones of a user offers."""


class Agreed:
    """What a phone and its node encrypt with: `key` is ours."""

    def __init__(self, key: bytes, sealer: Sealer, opener: Opener) -> None:
        self.key = key
        self.sealer = sealer
        self.opener = opener


Agreements = WeakValueDictionary[tuple[str, bytes], Agreed]
AGREED: Agreements = WeakValueDictionary()
"""By the suite and key of the phone, as long as a call uses it.

A phone that goes from one call into another (a transfer) may keep its key and its place in the stream; and it keeps
ours, as some phones take no other in one dialog.
"""


def secured(sdp: bytes, cryptos: Iterable["PhoneCrypto"], said: bytes = b"") -> bytes:
    """Turn an offer for a phone into one of SRTP alone, each section of plain RTP under keys that stand in it.

    They are those in use with a phone that has `said` this last; else each call draws others: what one phone is
    offered no other phone learns.
    """
    offer = SessionDescription.parse(sdp)
    host = (offer.connection() or "").rpartition(" ")[2]
    at = {crypto.place: crypto for crypto in cryptos}
    before = SessionDescription.parse(said).media if said else ()

    def turned(section: MediaDescription, before: MediaDescription | None) -> MediaDescription:
        crypto = at.get((host, section.port))
        if crypto is None or not section.port or section.profile not in PLAIN:
            return section
        return with_keys(section, crypto.offer(keys_of(before) if before else ()))

    pairs = zip(offer.media, (*before, *[None] * len(offer.media)), strict=False)
    return bytes(offer.with_media(tuple(turned(*pair) for pair in pairs)))


def own_keys(
    crypto: "PhoneCrypto", of_the_call: Iterable["PhoneCrypto"], *, is_offer: bool
) -> tuple[Crypto, ...]:
    """Return what the phone that is in the call is told: a section more is encrypted as the others are."""
    if not is_offer:
        return (crypto.own,) if crypto.own else ()
    if not any(one.own for one in of_the_call):
        return ()
    crypto.insists = True
    return (crypto.own,) if crypto.own else crypto.offer()


class PhoneCrypto:
    """One section's. `own` is the key in use towards the phone, None while RTP is plain.

    It `insists` when an answer in the clear will be refused. (In a first offer another phone, which is offered plain
    RTP, may be the one that answers.) A key of ours has one SRTP session as long as it is used: to begin anew under
    it would use its keystream twice.
    """

    def __init__(self, phone: PhoneLeg, agreed: Agreements = AGREED) -> None:
        self.own: Crypto | None = None
        self.insists = False
        self._phone = phone
        self._all_agreed = agreed
        self._agreed: Agreed | None = None
        self._held: dict[bytes, Agreed] = {}
        self._is_settled = False
        self._theirs: Crypto | None = None
        self._next: tuple[Crypto | None, Crypto | None] | None = None
        self._offered: dict[int, Crypto] = {}
        self._next_tag = 1
        self._keys: dict[str, bytes] = {}
        self._sealers: dict[bytes, Sealer] = {}

    @property
    def place(self) -> tuple[str, int]:
        """Our host and port in a description for the phone."""
        return self._phone.host, self._phone.port

    def offer(self, said: Sequence[Crypto] = ()) -> tuple[Crypto, ...]:
        """Return our key in use with a phone whose own is in `said`; else fresh ones for one phone, one for each suite.

        Their tags tell which phone an answer comes from. Until one has answered, nothing passes: what comes may be
        encrypted already.
        """
        if not self._is_settled:
            self._phone.shut()
        for theirs in said:
            key = self._key_with(theirs)
            if key is not None:
                return (self._tagged(theirs.suite, key),)
        return tuple(
            self._tagged(suite, secrets.token_bytes(size)) for suite, size in KEY_AND_SALT_BYTES.items()
        )

    def _tagged(self, suite: str, key: bytes) -> Crypto:
        made = self._offered[self._next_tag] = Crypto(self._next_tag, suite, key)
        self._next_tag += 1
        while len(self._offered) > MAX_OFFERED:
            del self._offered[next(iter(self._offered))]
        return made

    def _key_with(self, theirs: Crypto) -> bytes | None:
        """Return our key in use with a phone's key, in whatever call; its session is kept from now on."""
        agreed = self._all_agreed.get((theirs.suite, theirs.key))
        if agreed is None:
            return None
        self._held[agreed.key] = agreed
        self._sealers[agreed.key] = agreed.sealer
        return agreed.key

    def take_offer(self, offered: tuple[Crypto, ...]) -> None:
        """Take one of what the phone offers, or plain RTP if it offers no keys and never did in this call.

        A re-offer counts from its answer on (`settle`): if it is refused, all stays as it was.
        """
        self._next = (None, None)
        if not offered:
            self._check_may_be_plain()
        else:
            self.insists = True
            theirs = next((each for each in offered if self.own and each.suite == self.own.suite), offered[0])
            key = self._key_with(theirs) or self._keys.get(theirs.suite)
            key = key or secrets.token_bytes(KEY_AND_SALT_BYTES[theirs.suite])
            self._next = (Crypto(theirs.tag, theirs.suite, key), theirs)
        if not self._is_settled:
            self.settle()

    def settle(self) -> None:
        """The phone's latest offer is being answered."""
        if self._next is not None:
            self._use(*self._next)

    def take_answer(self, answered: tuple[Crypto, ...]) -> None:
        """Take what the phone has chosen of our offer; raise `MediaRefused` when that was not in it."""
        if not answered:
            self._check_may_be_plain()
            self._use(None, None)
            return
        theirs = answered[0]
        offered = [self.own, self._offered.get(theirs.tag)]
        chosen = (each for each in offered if each and (each.tag, each.suite) == (theirs.tag, theirs.suite))
        own = next(chosen, None)
        if own is None:
            raise MediaRefused("The phone has chosen an encryption that it was not offered")
        self._use(own, theirs)

    def close(self) -> None:
        """Forget all keys: no call takes them over from this one any more."""
        self._agreed = None
        for kept in (self._held, self._sealers, self._offered, self._keys):
            kept.clear()

    def _check_may_be_plain(self) -> None:
        if self.insists:
            self._next = None
            raise MediaRefused("The phone has stopped to encrypt in the middle of the call")

    def _use(self, own: Crypto | None, theirs: Crypto | None) -> None:
        self._next = None
        if self._is_settled and (own, theirs) == (self.own, self._theirs):
            return
        self._is_settled = True
        self.own, self._theirs = own, theirs
        if own is None or theirs is None:
            self._phone.secure(None)
            return
        self._keys[own.suite] = own.key
        self._agreed = self._all_agreed.get((theirs.suite, theirs.key))
        if self._agreed is None or self._agreed.key != own.key:
            self._agreed = self._agree(own, theirs)
        self._sealers[own.key] = self._agreed.sealer
        self._agreed.sealer.drop = self._agreed.opener.drop = self._phone.drop
        self._phone.secure((self._agreed.sealer, self._agreed.opener))

    def _agree(self, own: Crypto, theirs: Crypto) -> Agreed:
        sealer = self._sealers.get(own.key)
        if sealer is None:
            sealer = Sealer(Srtp(SUITES[own.suite], own.key, outbound=True), self._phone.drop)
        opener = Opener(Srtp(SUITES[theirs.suite], theirs.key, outbound=False), self._phone.drop)
        agreed = self._all_agreed[theirs.suite, theirs.key] = Agreed(own.key, sealer, opener)
        return agreed
