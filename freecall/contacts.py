"""The people whom the user knows: the keys that are kept for them, with a name and a note, and cards to carry them."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from overlay.errors import OverlayError
from trust.errors import TrustError
from trust.pins import Pin, Pins
from trust.uris import fingerprint_of_uri

from .adapters import choose
from .errors import FreeCallError
from .evidence import ClaimEvidence, EvidenceGatherer
from .identity import Identity
from .mesh_uri import canonical, name_of
from .store import FileStore
from .vcard import Card, read

MAX_DETAILS = 5000
MAX_NAME, MAX_NOTE = 100, 1000
VERSION = 1


class ContactRefused(FreeCallError):
    """What was asked about a contact cannot be done; the message says why."""


@dataclass(frozen=True)
class Details:
    """What the user calls somebody, and has noted."""

    name: str = ""
    note: str = ""


class DetailsBook:
    """Names and notes by canonical URI. Each change is on disk before the method returns."""

    def __init__(self, store: FileStore) -> None:
        """Load them; raise `ContactRefused` when the file is damaged."""
        self._store = store
        raw = store.load()
        try:
            self._details = {} if raw is None else _parse(raw)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ContactRefused(
                f"{store.path} has the names and notes of contacts, and cannot be read. Restore it, or remove it."
            ) from error

    def of(self, uri: str) -> Details:
        """Return what is noted of somebody, perhaps nothing."""
        return self._details.get(uri, Details())

    def note(self, uri: str, details: Details) -> None:
        """Keep that, or nothing."""
        others = {name: each for name, each in self._details.items() if name != uri}
        changed = {**others, uri: details} if details != Details() else others
        if len(changed) > MAX_DETAILS:
            raise ContactRefused(f"No more than {MAX_DETAILS} contacts can have a name or a note.")
        if changed == self._details:
            return
        rows = {name: asdict(each) for name, each in changed.items()}
        text = json.dumps({"version": VERSION, "contacts": rows}, indent=1, ensure_ascii=False)
        self._store.save(text.encode() + b"\n")
        self._details = changed


def _parse(raw: bytes) -> dict[str, Details]:
    content = json.loads(raw)
    if content["version"] != VERSION:
        raise ValueError("unknown version")
    return {str(uri): Details(str(row["name"]), str(row["note"])) for uri, row in content["contacts"].items()}


class ContactDesk:
    """What the user asks about contacts. A contact is whose key is kept: by a call, or because the user says so.

    ``is_blocked`` tells of a fingerprint; ``forget`` drops the key of a name and what was retained with it.
    """

    def __init__(
        self,
        identity: Identity,
        pins: Pins,
        gatherer: EvidenceGatherer,
        store: FileStore,
        *,
        is_blocked: Callable[[str], bool],
        forget: Callable[[str], object],
        clock: Callable[[], float],
    ) -> None:
        """Load the names and notes."""
        self._identity = identity
        self._pins = pins
        self._gatherer = gatherer
        self._details = DetailsBook(store)
        self._is_blocked = is_blocked
        self._forget = forget
        self._clock = clock

    def all(self) -> list[dict[str, Any]]:
        """Return the contacts by name.

        Each has ``uri``, ``name``, ``note``, ``fingerprint``, ``since``, ``verified``, ``blocked``.
        """
        shown = [self._shown(pin) for pin in self._pins]
        return sorted(shown, key=lambda each: (each["name"] or name_of(each["uri"])).casefold())

    async def add(
        self, who: str, *, name: str | None = None, note: str | None = None, fingerprint: str = ""
    ) -> dict[str, Any]:
        """Keep the key that somebody has on the mesh now, of several the one with ``fingerprint``; return the contact.

        Of a known person only the name and the note are changed; None leaves them as they are.

        Raises:
            FreeCallError: the address is malformed, the key another one, a text too long.
            sipgate.ports.Refusal: nobody, or several people, have the name now.
        """
        uri, wanted = canonical(who), _plain(fingerprint)
        if uri in self._identity.uris:
            raise ContactRefused("That is your own address.")
        details = _changed(self._details.of(uri), name, note)
        pin = self._pins.get(uri)
        if pin is None:
            await self._find(uri, wanted)
        elif wanted not in ("", pin.fingerprint):
            raise ContactRefused(
                f"The key that is kept for {_said(uri)} is another one. If they have a new key and told you so in "
                f"person, take the old one away first: fc-contacts remove {_said(uri)}"
            )
        return self._noted(uri, details)

    def remove(self, who: str) -> None:
        """Forget somebody: the key, the name and the note. Raise `FreeCallError` when they are no contact."""
        pin = self._known(who)
        self._forget(pin.uri)
        self._saved(lambda: self._details.note(pin.uri, Details()))

    async def take(self, card: str) -> dict[str, Any]:
        """Make a contact of an address card; return the contact. A card verifies nobody.

        The key in the card is kept. A card with a fingerprint alone needs its owner on the mesh now.

        Raises:
            FreeCallError: it is no card, or has another key than the one that is kept.
            sipgate.ports.Refusal: the owner of a key that is not in the card is not on the mesh now.
        """
        found = read(card)
        uri = canonical(found.uri)
        name = "" if found.name == _said(uri) else found.name
        if uri in self._identity.uris:
            raise ContactRefused("That is your own address.")
        if not found.key:
            if not (found.fingerprint or fingerprint_of_uri(uri)) and self._pins.get(uri) is None:
                raise ContactRefused(f"The card of {_said(uri)} has no key: fc-contacts add {_said(uri)}")
            return await self.add(
                uri, name=name or None, note=found.note or None, fingerprint=found.fingerprint
            )
        details = _changed(self._details.of(uri), name or None, found.note or None)
        try:
            info = await self._identity.keyring.inspect(found.key)
        except TrustError as error:
            raise ContactRefused(f"The key in the card of {_said(uri)} is not usable. {error}") from error
        if found.fingerprint not in ("", info.fingerprint):
            raise ContactRefused(f"The card of {_said(uri)} names another key than it holds.")
        self._keep(uri, info.fingerprint, found.key)
        return self._noted(uri, details)

    def cards(self) -> str:
        """Return all contacts as vCards."""
        return "".join(str(self._card(pin)) for pin in sorted(self._pins, key=lambda pin: pin.uri))

    def own_card(self) -> dict[str, str]:
        """Return the user's own card: ``card`` with the key, and ``short`` with its fingerprint only, for a QR code."""
        uri, name = self._identity.uri, self._identity.name
        fingerprint = self._identity.keyring.fingerprint
        whole = Card(uri, name, key=self._identity.public_key)
        return {"card": str(whole), "short": str(Card(uri, name, fingerprint=fingerprint))}

    async def _find(self, uri: str, wanted: str) -> None:
        try:
            evidence = await self._gatherer.gather(uri)
        except OverlayError as error:
            raise ContactRefused(
                f"This node is cut off from the mesh: {_said(uri)} cannot be found now."
            ) from error
        claim = next((c for c in evidence.believable if wanted and c.fingerprint == wanted), None)
        if wanted and claim is None:
            raise ContactRefused(
                f"Nobody on the mesh has the name {_said(uri)} and that key now. Try again when they are there."
            )
        self._keep_claim(uri, claim or choose(evidence))

    def _keep_claim(self, uri: str, claim: ClaimEvidence) -> None:
        assert claim.key is not None, "a claim that is believed has its key"
        self._keep(uri, claim.fingerprint, claim.key, claim.node_public_key)

    def _keep(self, uri: str, fingerprint: str, key: bytes, node_public_key: bytes = b"") -> None:
        try:
            self._saved(lambda: self._pins.pin(uri, fingerprint, key, self._clock(), node_public_key))
        except TrustError as error:
            raise ContactRefused(
                f"{_said(uri)} was not taken: {str(error).rstrip('.')}. If they have a new key and told you so in "
                f"person, take the old one away first: fc-contacts remove {_said(uri)}"
            ) from error

    def _noted(self, uri: str, details: Details) -> dict[str, Any]:
        self._saved(lambda: self._details.note(uri, details))
        return self._shown(self._known(uri))

    def _saved(self, change: Callable[[], None]) -> None:
        try:
            change()
        except OSError as error:
            raise ContactRefused(f"It could not be saved ({error.strerror}).") from error

    def _known(self, who: str) -> Pin:
        uri = canonical(who)
        pin = self._pins.get(uri)
        if pin is None:
            raise ContactRefused(f"{_said(uri)} is no contact.")
        return pin

    def _card(self, pin: Pin) -> Card:
        details = self._details.of(pin.uri)
        return Card(pin.uri, details.name, details.note, pin.key, pin.fingerprint)

    def _shown(self, pin: Pin) -> dict[str, Any]:
        return {
            "uri": pin.uri,
            **asdict(self._details.of(pin.uri)),
            "fingerprint": pin.fingerprint,
            "since": pin.since,
            "verified": pin.verified,
            "blocked": self._is_blocked(pin.fingerprint),
        }


def _changed(before: Details, name: str | None, note: str | None) -> Details:
    after = Details(before.name if name is None else name, before.note if note is None else note)
    for text, most, what in ((after.name, MAX_NAME, "name"), (after.note, MAX_NOTE, "note")):
        if len(text) > most:
            raise ContactRefused(f"A {what} has {most} characters at most.")
        if not text.replace("\n", " ").isprintable():
            raise ContactRefused(f"A {what} cannot hold control characters.")
    return after


def _plain(fingerprint: str) -> str:
    return "".join(fingerprint.split()).removeprefix("0x").upper()


def _said(uri: str) -> str:
    return uri.removeprefix("sip:")
