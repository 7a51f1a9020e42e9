"""SRTP of a phone of ours under keys of descriptions (SDES, RFC 4568): up to its node, or to the far phone."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import replace
from weakref import WeakValueDictionary

from .aiortc_adapter.srtp import SUITES, Srtp
from .phone_leg import PhoneLeg
from .protocol.errors import MediaRefused
from .protocol.far_keys import of_each_suite
from .protocol.phone_side import keys_of, with_keys
from .protocol.sdes import KEY_AND_SALT_BYTES, Crypto
from .protocol.sdp import MediaDescription, SessionDescription
from .protocol.transport_lines import PLAIN
from .sealing import Opener, Passage, Sealer

MAX_OFFERED = 64
"""Keys that an answer may still choose, of one section: more than a call to all phones of a user offers."""

MAX_OPENED = 1 << 14
"""So many packets after its node took over is a phone's SRTP still understood by the far phone that heard it before:
in less than 32,768 its rollover counter is found again (RFC 3711 section 3.3.1)."""


class Agreed:
    """What a phone and its node encrypt with: `key` is ours, or the far phone's, which ours hears under it already."""

    def __init__(self, key: bytes, sealer: Sealer, opener: Opener, *, is_far: bool = False) -> None:
        self.key = key
        self.is_far = is_far
        self.sealer = sealer
        self.opener = opener


Agreements = WeakValueDictionary[tuple[str, bytes], Agreed]
AGREED: Agreements = WeakValueDictionary()
"""By the suite and key of the phone, as long as a call uses it.

A phone that goes from one call into another (a transfer) may keep its key and its place in the stream; and it keeps
ours, as some phones take no other in one dialog.
"""


def secured(
    sdp: bytes, cryptos: Iterable["PhoneCrypto"], said: bytes = b"", *, rings_alone: bool = False
) -> bytes:
    """Turn an offer for a phone into one of SRTP alone, each section of plain RTP under keys that stand in it.

    They are those in use with a phone that has `said` this last; else each call draws others: what one phone is
    offered no other phone learns. So the far phone's keys are in it only if no other `rings_alone` beside.
    """
    offer = SessionDescription.parse(sdp)
    host = (offer.connection() or "").rpartition(" ")[2]
    at = {crypto.place: crypto for crypto in cryptos}
    before = SessionDescription.parse(said).media if said else ()

    def turned(section: MediaDescription, before: MediaDescription | None) -> MediaDescription:
        crypto = at.get((host, section.port))
        if crypto is None or not section.port or section.profile not in PLAIN:
            return section
        return with_keys(section, crypto.offer(keys_of(before) if before else (), rings_alone=rings_alone))

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
    return crypto.offer_again()


class PhoneCrypto:
    """One section's. `own` is the key in use towards the phone, None while RTP is plain.

    It `insists` when an answer in the clear will be refused. (In a first offer another phone, which is offered plain
    RTP, may be the one that answers.) A key of ours has one SRTP session as long as it is used: to begin anew under
    it would use its keystream twice.

    Where it `may_share`, phones that can do so encrypt from end to end (`is_end_to_end`). Then `shared` is what the far
    phone is told of our phone's keys, and `hear` takes what ours is told of the far one's. A far key that our phone
    has chosen is in the place of a key of ours; if the far phone no longer is behind it we go on under it ourselves, as
    some phones take no other in one dialog.
    """

    def __init__(self, phone: PhoneLeg, agreed: Agreements = AGREED, *, may_share: bool = False) -> None:
        self.own: Crypto | None = None
        self.shared: tuple[Crypto, ...] = ()
        self.is_end_to_end = False
        self.insists = False
        self._may_share = may_share
        self._far: tuple[Crypto, ...] = ()
        self._phone = phone
        self._all_agreed = agreed
        self._agreed: Agreed | None = None
        self._held: dict[bytes, Agreed] = {}
        self._is_settled = False
        self._theirs: Crypto | None = None
        self._next: tuple[Crypto, ...] | None = None
        self._offered: dict[int, Crypto] = {}
        self._next_tag = 1
        self._keys: dict[str, bytes] = {}
        self._sealers: dict[bytes, Sealer] = {}

    @property
    def place(self) -> tuple[str, int]:
        """Our host and port in a description for the phone."""
        return self._phone.host, self._phone.port

    def hear(self, far: tuple[Crypto, ...]) -> None:
        """Take the far phone's keys, which its node has put into an offer."""
        self._far = far if self._may_pass else ()

    @property
    def _may_pass(self) -> bool:
        """Tell whether phones may encrypt from end to end from the next answer on.

        That begins with the first answer of a dialog, or goes on: some phones take no other key later.
        """
        if not self._may_share or not self._is_settled or self.is_end_to_end:
            return self._may_share
        agreed = self._agreed if self.own else None
        return agreed is not None and agreed.is_far and agreed.opener.opened < MAX_OPENED

    def offer(self, said: Sequence[Crypto] = (), *, rings_alone: bool = False) -> tuple[Crypto, ...]:
        """Return our key in use with a phone whose own is in `said`; else fresh ones for one phone, one for each suite.

        If it `rings_alone`, those of the far phone come first. Their tags tell which phone an answer comes from, and
        whose key it has chosen. Until one has answered, nothing passes: what comes may be encrypted already.
        """
        if not self._is_settled:
            self._phone.shut()
        for theirs in said:
            key = self._key_with(theirs)
            if key is not None:
                return (self._tagged(theirs.suite, key),)
        return (
            *(self._tagged(far.suite, far.key) for far in self._far if rings_alone and not said),
            *(self._tagged(suite, secrets.token_bytes(size)) for suite, size in KEY_AND_SALT_BYTES.items()),
        )

    def offer_again(self) -> tuple[Crypto, ...]:
        """Return what the phone is offered that is in the call: the key in use, unless the far phone has left it."""
        if self.own is None or (self.is_end_to_end and self._far and self._far_key(self.own) is None):
            return self.offer(rings_alone=True)
        return (self.own,)

    def _far_key(self, own: Crypto) -> Crypto | None:
        """Return the far phone's key that is what we have said, under the tag that it has there."""
        return next((far for far in self._far if (far.suite, far.key) == (own.suite, own.key)), None)

    def _tagged(self, suite: str, key: bytes) -> Crypto:
        if self.own is not None and self.own.tag == self._next_tag:
            self._next_tag += 1  # the phone's own count, if it has offered
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
        if not offered:
            self._check_may_be_plain()
        self.insists = self.insists or bool(offered)
        self._next = offered
        self.shared = of_each_suite(offered) if self._may_pass and self._are_new(offered) else ()
        if self._is_settled:
            return
        if self.shared:
            self._phone.shut()  # the answer tells how it goes
        else:
            self.settle()

    def _are_new(self, offered: tuple[Crypto, ...]) -> bool:
        """Tell whether the phone uses none of its keys with us yet, in whatever call.

        What it has sent under one, nobody who comes later can follow (SDES tells no rollover counter).
        """
        return self._is_settled or not any((key.suite, key.key) in self._all_agreed for key in offered)

    def check_chosen(self, far: Crypto | None) -> None:
        """Raise `MediaRefused` unless the far phone's answer, if it is one, is to what our phone has offered it."""
        if far is not None and self._shared_with(far) is None:
            raise MediaRefused("The other node's phone has chosen an encryption that it was not offered")

    def _shared_with(self, far: Crypto) -> Crypto | None:
        return next((key for key in self.shared if (key.tag, key.suite) == (far.tag, far.suite)), None)

    def settle(self, far: Crypto | None = None) -> None:
        """The phone's latest offer is being answered: by the `far` phone under its key, or else by us."""
        if self._next is None:
            return
        theirs = None if far is None else self._shared_with(far)
        if theirs is not None:
            self._use(far, theirs, end_to_end=True)
            return
        if not self._next:
            self._use(None, None)
            return
        in_use = (each for each in self._next if self.own and each.suite == self.own.suite)
        theirs = next(in_use, self._next[0])
        key = self._key_with(theirs) or self._keys.get(theirs.suite)
        key = key or secrets.token_bytes(KEY_AND_SALT_BYTES[theirs.suite])
        self._use(Crypto(theirs.tag, theirs.suite, key), theirs)

    def take_answer(self, answered: tuple[Crypto, ...]) -> None:
        """Take what the phone has chosen of our offer; raise `MediaRefused` when that was not in it."""
        self.shared, self._next = (), None
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
        far = self._far_key(own)
        self.shared = () if far is None else (replace(theirs, tag=far.tag),)
        self._use(own, theirs, end_to_end=far is not None)

    def close(self) -> None:
        """Forget all keys: no call takes them over from this one any more."""
        self._agreed = None
        for kept in (self._held, self._sealers, self._offered, self._keys):
            kept.clear()

    def _check_may_be_plain(self) -> None:
        if self.insists:
            self._next, self.shared = None, ()
            raise MediaRefused("The phone has stopped to encrypt in the middle of the call")

    def _use(self, own: Crypto | None, theirs: Crypto | None, *, end_to_end: bool = False) -> None:
        if self._is_settled and (own, theirs, end_to_end) == (self.own, self._theirs, self.is_end_to_end):
            return
        self._is_settled = True
        self.own, self._theirs, self.is_end_to_end = own, theirs, end_to_end
        if own is None or theirs is None:
            self._phone.secure(None)
            return
        self._keys[own.suite] = own.key
        agreed = self._agreed = self._agree(own, theirs, is_far=end_to_end)
        self._sealers[own.key] = agreed.sealer
        agreed.sealer.drop = agreed.opener.drop = self._phone.drop
        passage = Passage(agreed.opener)
        self._phone.secure(
            (passage, passage) if end_to_end else (agreed.sealer, agreed.opener), end_to_end=end_to_end
        )

    def _agree(self, own: Crypto, theirs: Crypto, *, is_far: bool) -> Agreed:
        before = self._all_agreed.get((theirs.suite, theirs.key))
        if before is not None and before.key == own.key:
            return before
        sealer = self._sealers.get(own.key)
        if sealer is None:
            sealer = Sealer(Srtp(SUITES[own.suite], own.key, outbound=True), self._phone.drop, shared=is_far)
        opener = Opener(Srtp(SUITES[theirs.suite], theirs.key, outbound=False), self._phone.drop)
        if before is not None:
            opener = before.opener  # where the phone is in its stream it knows
        agreed = self._all_agreed[theirs.suite, theirs.key] = Agreed(own.key, sealer, opener, is_far=is_far)
        return agreed
