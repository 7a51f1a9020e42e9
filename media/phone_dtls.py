"""SRTP between a node and one of its phones, under keys that come by DTLS: what is described, and what is in use."""

from collections.abc import Iterable
from dataclasses import replace

from .errors import MediaRefused
from .phone_association import DtlsCall, Keyed, OwnEnd, PhoneAssociation, keyed_with
from .phone_leg import PhoneLeg
from .protocol.dtls import Dtls, agreed
from .protocol.phone_side import PhoneMedia, dtls_of, phone_media, with_dtls
from .protocol.sdp import MediaDescription, SessionDescription
from .protocol.transport import Setup
from .protocol.transport_lines import PLAIN


class PhoneDtls:
    """One section's. It `insists` when a description of the phone without DTLS will be refused.

    As long as the phone describes the association in use, its keys stay. Another one (RFC 8842 section 4) begins with
    keys of its own, and until they are there nothing passes, either way.
    """

    def __init__(self, phone: PhoneLeg, call: DtlsCall) -> None:
        self.insists = False
        self._phone = phone
        self._call = call
        self._standing: PhoneAssociation | None = None
        self._next: PhoneAssociation | None = None
        self._offered: OwnEnd | None = None
        self._brought: Keyed | None = None
        self._is_settled = False
        self._profile = ""

    @property
    def is_used(self) -> bool:
        """Whether this is how the phone encrypts."""
        return self._standing is not None

    @property
    def place(self) -> tuple[str, int]:
        """Our host and port in a description for the phone."""
        return self._phone.host, self._phone.port

    async def keyed(self) -> None:
        """Wait until there are keys, if this is how the phone encrypts."""
        if self._standing is not None:
            await self._standing.has_keys.wait()

    def offer(self, said: PhoneMedia | None = None) -> Dtls:
        """Return what we offer: the association in use, perhaps with a phone that has `said` this, or a first one."""
        if not self._is_settled:
            self._phone.shut()
        if self._standing is not None:
            self._offered = self._standing.own
        else:
            self._brought = keyed_with(said)
            self._offered = self._brought.own if self._brought else self._offered or self._own_end()
        return Dtls(self._offered.certificate.fingerprint, "actpass", self._offered.tls_id, self._profile)

    def answer(self) -> Dtls | None:
        """Return what we answer to a phone that has offered DTLS."""
        if self._standing is None:
            return None
        own, association = self._standing.own, self._standing.association
        setup: Setup = "passive" if association.is_server else "active"
        tls_id = own.tls_id if association.theirs.tls_id else ""
        return Dtls(own.certificate.fingerprint, setup, tls_id, self._profile)

    def check(self, theirs: Dtls | None, *, is_answer: bool) -> None:
        """Raise `MediaRefused` when the phone may not say this of DTLS now."""
        if theirs is None and self.insists:
            raise MediaRefused("The phone has stopped to encrypt in the middle of the call")
        if theirs is None or not is_answer or self.is_used:
            return
        if self._offered is None:
            raise MediaRefused("The phone has chosen an encryption that it was not offered")
        if theirs.setup == "actpass":
            raise MediaRefused("The phone does not say which side of its encryption it takes (a=setup)")

    def take_offer(self, side: PhoneMedia) -> None:
        """Take what the phone offers; it counts from its answer on (`settle`). Refused, it changes nothing."""
        self._next = None
        if side.dtls is not None:
            self.insists = True
            self._profile = side.dtls.profile
            brought = keyed_with(side) if self._standing is None else None
            self._next = self._agreed(side, side.dtls, brought, self._own_end())
            if not self._is_settled:
                self._phone.shut()
        self._is_settled = True

    def settle(self) -> None:
        """The phone's latest offer is being answered."""
        if self._next is not None:
            self._use(self._next)

    def take_answer(self, side: PhoneMedia) -> None:
        """Take the phone's answer to our offer."""
        assert side.dtls is not None
        self._profile = side.dtls.profile
        brought = self._brought if self._brought is not None and keyed_with(side) is self._brought else None
        self._use(self._agreed(side, side.dtls, brought, self._offered or self._own_end()))

    def end(self) -> None:
        """The phone that has answered does without DTLS."""
        self._is_settled = True
        if self.is_used:
            self.stop()
            self._phone.secure(None)

    def stop(self) -> None:
        """The section is off: what may come later is another association."""
        self._next = self._offered = None
        if self.is_used:
            self.close()
            self._phone.shut()

    def close(self) -> None:
        """End it."""
        if self._standing is not None:
            self._standing.end()
        self._standing = self._brought = None

    def _own_end(self) -> OwnEnd:
        return OwnEnd(self._call.certificate())

    def _agreed(self, side: PhoneMedia, theirs: Dtls, brought: Keyed | None, own: OwnEnd) -> PhoneAssociation:
        """Return the association in use, or a next one: that of another call, or one under our `own` end."""
        standing = self._standing.association if self._standing else None
        former = brought.association if brought else standing
        association = agreed(theirs, former)
        if self._standing is not None and association is standing:
            self._standing.describe(side)
            return self._standing
        kept = brought if brought is not None and association is former else None
        return PhoneAssociation(self._phone, self._call, side, association, kept.own if kept else own, kept)

    def _use(self, association: PhoneAssociation) -> None:
        self._is_settled, self._next = True, None
        if association is not self._standing:
            self.close()
            self._standing = association
            association.begin()


def with_associations(sdp: bytes, ends: Iterable[PhoneDtls], said: bytes) -> bytes:
    """Turn an offer for a phone that has `said` this last into one of DTLS-SRTP alone.

    RTCP shares the port if the phone lets it.
    """
    offer = SessionDescription.parse(sdp)
    host = (offer.connection() or "").rpartition(" ")[2]
    at = {end.place: end for end in ends}
    before = phone_media(SessionDescription.parse(said)) if said else ()

    def turned(section: MediaDescription, before: PhoneMedia | None) -> MediaDescription:
        end = at.get((host, section.port))
        if end is None or not section.port or section.profile not in PLAIN:
            return section
        muxed = replace(section, lines=(*section.lines, "a=rtcp-mux"))
        return with_dtls(muxed, end.offer(before))

    pairs = zip(offer.media, (*before, *[None] * len(offer.media)), strict=False)
    return bytes(offer.with_media(tuple(turned(*pair) for pair in pairs)))


def speaks_dtls(sdp: bytes) -> bool:
    """Tell whether a phone's description has a section of DTLS."""
    description = SessionDescription.parse(sdp)
    return any(section.port and dtls_of(description, section) for section in description.media)
