"""What a person can ask about trust: why a name is believed or not, and introductions to make and to take."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from overlay.errors import OverlayError
from sipgate.ports import Refusal
from trust.errors import TrustError
from trust.introductions import Introduction, Introductions, SignedIntroduction, introduce
from trust.pins import Pin, Pins, TrustState
from trust.protocol.armour import armoured
from trust.standing import Standing

from .adapters import choose
from .errors import FreeCallError
from .events import Event
from .evidence import ClaimEvidence, Evidence, EvidenceGatherer
from .identity import Identity
from .mesh_uri import canonical
from .retained import RetainedSecrets

UNKNOWN, SEVERAL, FORBIDDEN = "unknown", "several", "forbidden"


MAX_WORDS = 1000
OPENPGP_QR = "openpgp4fpr:"


class TrustRefused(FreeCallError):
    """What was asked about trust cannot be done; the message says why."""


class TrustDesk:
    """Answers for one node's user."""

    def __init__(
        self,
        identity: Identity,
        pins: Pins,
        introductions: Introductions,
        gatherer: EvidenceGatherer,
        retained: RetainedSecrets,
        clock: Callable[[], float],
    ) -> None:
        self._identity = identity
        self._pins = pins
        self._introductions = introductions
        self._gatherer = gatherer
        self._retained = retained
        self._clock = clock
        self._words: OrderedDict[tuple[str, str], list[str]] = OrderedDict()

    def observe(self, event: Event) -> None:
        """Remember the words of the last signed call with each person, to compare them later."""
        if event.name != "call_secured" or not event["signed"]:
            return
        person = (event["peer"], event["fingerprint"])
        self._words[person] = event["words"]
        self._words.move_to_end(person)
        while len(self._words) > MAX_WORDS:
            self._words.popitem(last=False)

    async def show(self, uri: str) -> dict[str, Any]:
        """Return how far the name is believed and why, as one stable JSON object. The mesh need not be there.

        Raises:
            FreeCallError: the name is malformed.
        """
        name = canonical(uri)
        try:
            evidence: Evidence | None = await self._gatherer.gather(name)
        except OverlayError:
            evidence = None
        pin = self._pins.get(name)
        if name in self._identity.uris:
            trust, fingerprint = "self", self._identity.keyring.fingerprint
        else:
            trust, fingerprint = _judged(evidence, pin)
        standing = await self._gatherer.standings.of(name, fingerprint) if fingerprint else None
        return {
            "uri": name,
            "trust": trust if trust or standing is None else standing.state.value,
            "fingerprint": fingerprint,
            "pinned": None if pin is None else _shown(pin),
            "asked": 0 if evidence is None else evidence.asked,
            "why": _why(evidence, fingerprint, standing if trust != "self" else None),
            "introduced_by": list(standing.introduced_by) if standing else [],
            "claims": [claim.as_json() for claim in evidence.claims] if evidence else [],
        }

    def verify(self, uri: str, *, words: str = "", fingerprint: str = "") -> dict[str, Any]:
        """Mark somebody as verified in person: by the words that they read out, or the fingerprint that they showed.

        Raises:
            TrustRefused: nobody is known by the name, or what was compared is not equal.
        """
        pin = self._known(uri)
        name = pin.uri.removeprefix("sip:")
        if words:
            shown = self._words.get((pin.uri, pin.fingerprint))
            if shown is None:
                raise TrustRefused(
                    f"There was no signed call with {name} since the start: call them and compare its words."
                )
            if words.lower().split() != [word.lower() for word in shown]:
                raise TrustRefused(
                    f"These are not the words of your last call with {name}. Ask again, in the same call; if theirs "
                    "are others than yours, somebody stands between you."
                )
        elif _fingerprint(fingerprint) != pin.fingerprint:
            raise TrustRefused(
                f"This is not the fingerprint of the key that is kept for {name}. Do not trust that key."
            )
        self._saved(lambda: self._pins.verify(pin.uri))
        return {"uri": pin.uri, "fingerprint": pin.fingerprint, "verified": True}

    def forget(self, uri: str) -> dict[str, Any]:
        """Forget the key that is kept for a name; the next call takes whoever has it then for a new person.

        Raises:
            TrustRefused: nobody is known by the name.
        """
        pin = self._known(uri)
        self._saved(lambda: self._pins.forget(pin.uri))
        if not any(other.fingerprint == pin.fingerprint for other in self._pins):
            self._saved(lambda: self._retained.forget(pin.fingerprint))
        return {"uri": pin.uri, "fingerprint": pin.fingerprint, "verified": False}

    def _saved(self, change: Callable[[], None]) -> None:
        try:
            change()
        except OSError as error:
            raise TrustRefused(f"It could not be saved ({error.strerror}).") from error

    async def introduce(self, uri: str, to: str) -> dict[str, Any]:
        """Return ``card``: our signed word to ``to`` about the key of ``uri``. Both must be known here.

        Raises:
            TrustRefused: one of them is not.
        """
        subject, reader = self._known(uri), self._known(to)
        try:
            signed = await introduce(
                self._identity.keyring, self._identity.uri, subject, reader, self._clock()
            )
        except TrustError as error:
            raise TrustRefused(str(error)) from error
        return {**_described(signed.introduction), "card": signed.card()}

    async def take(self, card: str) -> dict[str, Any]:
        """Keep the introduction that is in the text ``card``; return what it says.

        Raises:
            TrustRefused: it is not for us, not by somebody we know, or not genuine.
        """
        try:
            signed = SignedIntroduction.read_card(card)
            keyring = self._identity.keyring
            await self._introductions.take(keyring, signed, keyring.fingerprint, self._clock())
        except TrustError as error:
            raise TrustRefused(str(error)) from error
        except OSError as error:
            raise TrustRefused(f"The introduction could not be kept ({error.strerror}).") from error
        return _described(signed.introduction)

    def introductions(self) -> list[dict[str, Any]]:
        """Return those that count now."""
        return [_described(said) for said in self._introductions.all(self._clock())]

    def key(self) -> dict[str, Any]:
        """Return our public key in ASCII armour, to import with gpg, and its fingerprint."""
        key = armoured(self._identity.public_key, "PUBLIC KEY BLOCK")
        return {"key": key, "fingerprint": self._identity.keyring.fingerprint}

    def _known(self, uri: str) -> Pin:
        name = canonical(uri)
        pin = self._pins.get(name)
        if pin is None:
            raise TrustRefused(f"You do not know {name.removeprefix('sip:')} yet: call them first.")
        return pin


def _judged(evidence: Evidence | None, pin: Pin | None) -> tuple[str, str]:
    """Return the trust, empty where the key's standing says it, and the fingerprint in question, empty for none."""
    if pin is not None and (evidence is None or not evidence.conflict):
        return FORBIDDEN if evidence and evidence.forbidden else "", pin.fingerprint
    if evidence is None:
        return UNKNOWN, ""
    if evidence.conflict:
        return TrustState.CONFLICT.value, evidence.claims[0].fingerprint
    try:
        return "", choose(evidence).fingerprint
    except Refusal as refusal:
        return (SEVERAL if refusal.alternatives else UNKNOWN), ""


def _why(evidence: Evidence | None, fingerprint: str, standing: Standing | None) -> list[dict[str, str]]:
    steps = [asdict(reason) for reason in standing.reasons] if standing else []
    claims = evidence.claims if evidence else ()
    if evidence is None:
        steps.append({"source": "mesh", "text": "The mesh could not be asked: this node is cut off."})
    steps += [_node(claim) for claim in claims if not fingerprint or claim.fingerprint == fingerprint]
    if evidence is not None and not claims:
        steps.append({"source": "mesh", "text": "Nobody on the mesh claims this name now."})
    return steps


def _node(claim: ClaimEvidence) -> dict[str, str]:
    node, key = claim.node_id.hex()[:16], f"…{claim.fingerprint[-16:]}"
    if claim.is_believable:
        there = "it can be reached" if claim.endpoints else "it is away now"
        return {
            "source": "mesh",
            "text": f"The key {key} has signed that node {node}… speaks for it; {there}.",
        }
    return {
        "source": "mesh",
        "text": f"A claim of node {node}… for the key {key} is not believed. {claim.problem}",
    }


def _fingerprint(text: str) -> str:
    """Return a fingerprint as a person types it, or as QR codes of OpenPGP programs carry it."""
    text = text.strip()
    if text.lower().startswith(OPENPGP_QR):
        text = text[len(OPENPGP_QR) :].partition("?")[0].partition("#")[0]
    return "".join(text.split()).upper()


def _described(said: Introduction) -> dict[str, Any]:
    return {
        "uri": said.uri,
        "fingerprint": said.fingerprint,
        "introducer": said.introducer,
        "to": said.reader,
        "made_at": said.made,
        "verified": said.verified,
    }


def _shown(pin: Pin) -> dict[str, Any]:
    return {"fingerprint": pin.fingerprint, "since": pin.since, "verified": pin.verified}
