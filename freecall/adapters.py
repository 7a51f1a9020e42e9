"""Answers one package's ports with another's objects. `compose.py` plugs them in."""

import ipaddress
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from overlay.errors import OverlayError
from sipgate.ports import Admission, IncomingCaller, LocalUser, Peer, Refusal, Trust
from sipgate.protocol.privacy import NAME
from trust.delegation import DelegationRefused, SignedDelegation, check
from trust.keyring import BadKey, Verifier
from trust.pins import TrustState
from trust.standing import Standings
from trust.uris import self_certifying_uri

from .errors import NotAMeshUri
from .evidence import ClaimEvidence, Evidence, EvidenceGatherer
from .mesh_uri import (
    ANONYMOUS,
    CODES_WITH_NAME,
    DIAL_CODES,
    canonical,
    dial_code_of,
    is_anonymous,
    name_of,
    user_of,
)

logger = logging.getLogger(__name__)

SELF: Final = "self"
TRUST: dict[TrustState, Trust] = {
    TrustState.NEW: "new",
    TrustState.INTRODUCED: "introduced",
    TrustState.PINNED: "pinned",
    TrustState.VERIFIED: "verified",
}
KNOWN = (TrustState.PINNED, TrustState.VERIFIED)
MAX_REMEMBERED_KEYS = 1000
ANONYMOUSLY: tuple[Trust, tuple[str, ...], bool] = ("anonymous", (), False)


class PeerKeys:
    """The public keys of those we talk to now, as each of their nodes shows them: bounded, oldest out first.

    Two nodes of one person have the same key with other subkeys (docs/decisions/0012).
    """

    def __init__(self) -> None:
        self._keys: OrderedDict[tuple[str, bytes], bytes] = OrderedDict()

    def remember(self, fingerprint: str, node_public_key: bytes, key: bytes) -> None:
        """Keep ``key`` until many others have come after it."""
        at = (fingerprint, node_public_key)
        self._keys[at] = key
        self._keys.move_to_end(at)
        while len(self._keys) > MAX_REMEMBERED_KEYS:
            self._keys.popitem(last=False)

    def get(self, fingerprint: str, node_public_key: bytes) -> bytes | None:
        """Return the key, or None when it is not known."""
        return self._keys.get((fingerprint, node_public_key))


@dataclass(frozen=True)
class Self:
    """This node's own user, as the adapters need it."""

    user: LocalUser
    fingerprint: str
    node_public_key: bytes
    services: frozenset[str]


class MeshDirectory:
    """Answers the gateway's `Directory` port: from a name to one peer, never silently wrong."""

    def __init__(
        self,
        me: Self,
        gatherer: EvidenceGatherer,
        keys: PeerKeys,
        own_endpoints: Callable[[], tuple[tuple[str, int], ...]],
    ) -> None:
        self._me = me
        self._gatherer = gatherer
        self._keys = keys
        self._own_endpoints = own_endpoints

    async def resolve(self, uri: str) -> Peer:
        """Return whom ``uri`` means.

        Raises:
            Refusal: 404 unknown, 300 several people, 403 another key than before, 480 not reachable, 503 isolated.
        """
        try:
            name = canonical(uri)
        except NotAMeshUri as error:
            raise Refusal(404, str(error)) from None
        if name in self._me.services:
            return self._myself(name)
        if is_anonymous(name):
            raise Refusal(404, "Who calls anonymously has no address: nobody can be called under it.")
        if (dialled := dial_code_of(name)) is not None:
            return self._dialled(name, *dialled)
        try:
            evidence = await self._gatherer.find(name)
        except OverlayError as error:
            logger.info("a name could not be looked up: %s", error)
            raise Refusal(
                503, "This node is cut off from the mesh: nobody can be asked for names."
            ) from error
        return self._peer(evidence, choose(evidence))

    def _dialled(self, name: str, code: str, whom: str) -> Peer:
        if code not in (CODES_WITH_NAME if whom else DIAL_CODES):
            raise Refusal(404, f"There is no dial code {code}{' with a name behind it' if whom else ''}.")
        return self._myself(name)

    def _peer(self, evidence: Evidence, claim: ClaimEvidence) -> Peer:
        name = name_of(evidence.uri)
        if not claim.endpoints:
            raise Refusal(480, f"{name} is known, but their node is away now. Try again later.")
        if claim.key is not None:
            self._keys.remember(claim.fingerprint, claim.node_public_key, claim.key)
        return Peer(
            uri=evidence.uri,
            display_name=name,
            trust=TRUST[claim.trust],
            fingerprint=claim.fingerprint,
            node_public_key=claim.node_public_key,
            known=claim.trust in KNOWN,
            endpoints=tuple((endpoint.host, endpoint.port) for endpoint in claim.endpoints),
            introduced_by=claim.introduced_by,
        )

    def _myself(self, uri: str) -> Peer:
        me = self._me
        self._keys.remember(me.fingerprint, me.node_public_key, me.user.openpgp_key)
        return Peer(
            uri=uri,
            display_name=name_of(uri),
            trust=SELF,
            fingerprint=self._me.fingerprint,
            node_public_key=self._me.node_public_key,
            known=True,
            endpoints=self._own_endpoints(),
        )


def choose(evidence: Evidence) -> ClaimEvidence:
    """Return the one claim that a call to this name may follow.

    Raises:
        Refusal: no claim, several unknown ones, or another key than the pinned one.
    """
    name, user = name_of(evidence.uri), user_of(evidence.uri)
    if evidence.pinned is not None:
        return evidence.pinned
    if evidence.forbidden is not None:
        raise Refusal(403, f"{name} was not called. {evidence.forbidden}")
    if evidence.conflict:
        raise Refusal(
            403,
            f"{name} has another key than before. The call was stopped: it may not be the {name} you know.",
        )
    if evidence.pinned_fingerprint is not None:
        raise Refusal(480, f"{name} is known, but not on the mesh now. Try again later.")
    claims = _vouched_for(evidence.believable)
    people = {claim.fingerprint for claim in claims}
    if not people:
        raise Refusal(404, f"Nobody on the mesh is called {user}.")
    if len(people) > 1:
        raise Refusal(
            300,
            f"{len(people)} people call themselves {name}. Choose one by the long address.",
            alternatives=tuple(self_certifying_uri(user, fingerprint) for fingerprint in sorted(people)),
        )
    return max(claims, key=lambda claim: (bool(claim.endpoints), claim.serial))


def _vouched_for(claims: tuple[ClaimEvidence, ...]) -> tuple[ClaimEvidence, ...]:
    """Return the claims of the one stranger whom the user's keyring or somebody known vouches for; else all."""
    for state in (TrustState.VERIFIED, TrustState.INTRODUCED):
        vouched = tuple(claim for claim in claims if claim.trust is state)
        if vouched:
            return vouched
    return claims


class MeshAdmission:
    """Answers the gateway's `Admission` port: may this caller, with this key, ring our user?"""

    def __init__(
        self, me: Self, verifier: Verifier, standings: Standings, keys: PeerKeys, clock: Callable[[], float]
    ) -> None:
        self._me = me
        self._verifier = verifier
        self._standings = standings
        self._keys = keys
        self._clock = clock

    async def admit(self, caller: IncomingCaller) -> Peer:
        """Return the caller as our pins see them. No pin is looked up for one who is anonymous.

        Raises:
            Refusal: 403 when the key does not vouch for the node, or is another than the pinned one; 433 when who is
                anonymous wants something else than to call.
        """
        try:
            uri = canonical(caller.uri)
            if is_anonymous(uri) and caller.purpose != "call":
                raise Refusal(433, "Who writes or looks must say who they are.")
            signed = SignedDelegation.parse(caller.delegation)
            await check(
                self._verifier,
                signed,
                caller.openpgp_key,
                now=self._clock(),
                uri=uri,
                node_public_key=caller.node_public_key,
            )
        except (NotAMeshUri, DelegationRefused, BadKey) as error:
            raise Refusal(403, f"The caller could not show who they are: {error}") from error
        if is_anonymous(uri):
            uri, name = ANONYMOUS, NAME
            trust, introduced_by, known = ANONYMOUSLY
        else:
            name = name_of(uri)
            trust, introduced_by, known = await self._standing(uri, signed.fingerprint)
        self._keys.remember(signed.fingerprint, caller.node_public_key, caller.openpgp_key)
        return Peer(
            uri=uri,
            display_name=name,
            trust=trust,
            fingerprint=signed.fingerprint,
            node_public_key=caller.node_public_key,
            known=known,
            introduced_by=introduced_by,
        )

    async def _standing(self, uri: str, fingerprint: str) -> tuple[Trust, tuple[str, ...], bool]:
        """Return the trust in the caller, who introduced them, and whether we know them."""
        if fingerprint == self._me.fingerprint:
            return SELF, (), True
        standing = await self._standings.of(uri, fingerprint)
        if standing.problem is not None:
            raise Refusal(403, f"The call of {name_of(uri)} was refused: their key is not accepted here.")
        if standing.state is TrustState.CONFLICT:
            raise Refusal(403, f"{name_of(uri)} has another key here than before: the call was refused.")
        return TRUST[standing.state], standing.introduced_by, standing.state in KNOWN


class MeshAudience:
    """Answers the gateway's `Audience` port: our user is seen by those whose key is pinned here, and nobody else."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    async def may_see(self, watcher: IncomingCaller) -> Peer:
        """Return the watcher as our pins see them.

        Raises:
            Refusal: 403 for strangers, and for those who could not ring either.
        """
        peer = await self._admission.admit(watcher)
        if not peer.known:
            raise Refusal(403, "Only people who have talked to this user see whether they can be called.")
        return peer


class OneUser:
    """Answers the gateway's `Accounts` port for a node with one user, reachable by name and by long address.

    An unlisted user is nobody here under the bare name: else each node could be asked for a list of names.
    """

    def __init__(self, user: LocalUser, uris: frozenset[str]) -> None:
        self._user = user
        self._uris = uris

    def by_username(self, username: str) -> LocalUser | None:
        """Return the user who registers phones as ``username``."""
        return self._user if username == self._user.username else None

    def by_uri(self, uri: str) -> LocalUser | None:
        """Return the user who is called by ``uri``."""
        try:
            return self._user if canonical(uri) in self._uris else None
        except NotAMeshUri:
            return None


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Tell whether an IP address literal is this machine's own."""
    return ipaddress.ip_address(host.partition("%")[0]).is_loopback
