"""Whom a name means, for letters: also when their node is away."""

from collections import OrderedDict
from dataclasses import dataclass, replace

from overlay.errors import OverlayError
from sipgate.ports import Peer, Refusal
from trust.pins import Pins, TrustState
from trust.uris import self_certifying_uri

from .adapters import TRUST, choose
from .errors import NotAMeshUri
from .evidence import EvidenceGatherer
from .mesh_uri import canonical, name_of, user_of


@dataclass(frozen=True)
class Addressee:
    """A person, with the OpenPGP key to write to. `peer.endpoints` are empty when their node is away."""

    peer: Peer
    key: bytes


MAX_RECENT = 256
VOUCHED = (TrustState.VERIFIED, TrustState.INTRODUCED)


class AddressBook:
    """Finds people by the mesh; those of whom it knows nothing by the pins, or as they were found last."""

    def __init__(self, gatherer: EvidenceGatherer, pins: Pins) -> None:
        self._gatherer = gatherer
        self._pins = pins
        self._recent: OrderedDict[str, Addressee] = OrderedDict()

    async def find(self, uri: str) -> Addressee:
        """Return whom ``uri`` means.

        Raises:
            Refusal: as for calls, but for people who are known and away.
        """
        try:
            name = canonical(uri)
        except NotAMeshUri as error:
            raise Refusal(404, str(error)) from None
        try:
            evidence = await self._gatherer.find(name)
        except OverlayError as error:
            nobody = Refusal(503, "This node is cut off from the mesh: nobody can be asked.")
            return self._remembered(name, nobody, error)
        if not evidence.claims:
            return self._remembered(name, Refusal(404, f"Nobody on the mesh is called {user_of(name)}."))
        claim = choose(evidence)
        endpoints = tuple((endpoint.host, endpoint.port) for endpoint in claim.endpoints)
        peer = self.person(name, claim.fingerprint, claim.node_public_key, endpoints)
        if claim.trust in VOUCHED and not peer.known:  # the pins know nothing of whom others vouch for
            peer = replace(peer, trust=TRUST[claim.trust], introduced_by=claim.introduced_by)
        return self._remember(Addressee(peer, claim.key or b""))

    async def where(self, uri: str, fingerprint: str) -> Peer:
        """Return where the node of this very key is now, whoever else has the name; raise `Refusal`."""
        return (await self.find(self_certifying_uri(user_of(uri), fingerprint))).peer

    def person(
        self,
        uri: str,
        fingerprint: str,
        node_public_key: bytes = b"",
        endpoints: tuple[tuple[str, int], ...] = (),
    ) -> Peer:
        """Return somebody as our pins see them now; a key that is not the pinned one counts as new."""
        state = self._pins.state_of(uri, fingerprint)
        trust = TRUST.get(state, "new")
        known = state in (TrustState.PINNED, TrustState.VERIFIED)
        return Peer(uri, name_of(uri), trust, fingerprint, node_public_key, known, endpoints)

    def _remember(self, found: Addressee) -> Addressee:
        self._recent[found.peer.uri] = found
        self._recent.move_to_end(found.peer.uri)
        if len(self._recent) > MAX_RECENT:
            self._recent.popitem(last=False)
        return found

    def _remembered(self, uri: str, otherwise: Refusal, cause: Exception | None = None) -> Addressee:
        """Return somebody of whom the mesh knows nothing now; a pin counts more than what was found last."""
        pin = self._pins.get(uri)
        if pin is not None:
            return Addressee(self.person(uri, pin.fingerprint, pin.node_public_key), pin.key)
        if uri not in self._recent:
            raise otherwise from cause
        found = self._recent[uri]
        return Addressee(self.person(uri, found.peer.fingerprint, found.peer.node_public_key), found.key)
