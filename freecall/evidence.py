"""What the mesh says about a name: every claim, whether its delegation holds, and what our pins make of it."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from overlay.errors import WireError
from overlay.overlay import FoundClaim, Isolated, NodeRecord, Resolution
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.nodeid import node_id_of
from trust.delegation import DelegationRefused, SignedDelegation, check
from trust.keyring import BadKey, Verifier
from trust.pins import Pins, TrustState
from trust.protocol.packed_key import unpack
from trust.standing import Standing, Standings

from .key_blobs import fetch_key
from .mesh_uri import short_uri
from .meshes import Directory

MAX_REMEMBERED = 256
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClaimEvidence:
    """One claim under a name, judged.

    ``key`` is the transferable OpenPGP public key, None when nobody could give it; ``problem`` says why the claim
    cannot be believed, None when its delegation is valid.
    """

    fingerprint: str
    trust: TrustState
    node_public_key: bytes
    node_id: bytes
    endpoints: tuple[Endpoint, ...]
    key: bytes | None
    serial: int
    copies: int
    problem: str | None
    is_own: bool = False
    standing: Standing | None = None

    @property
    def introduced_by(self) -> tuple[str, ...]:
        """The URIs of known people who vouch for this key."""
        return () if self.standing is None else self.standing.introduced_by

    @property
    def is_believable(self) -> bool:
        """True when the OpenPGP key under the claim vouches for the node."""
        return self.problem is None

    def as_json(self) -> dict[str, Any]:
        """Return the claim as one stable JSON object."""
        return {
            "fingerprint": self.fingerprint,
            "trust": "self" if self.is_own else self.trust.value,
            "node_id": self.node_id.hex(),
            "node_public_key": self.node_public_key.hex(),
            "endpoints": [str(endpoint) for endpoint in self.endpoints],
            "verified_delegation": self.is_believable,
            "problem": self.problem,
            "introduced_by": list(self.introduced_by),
            "why": [asdict(reason) for reason in (self.standing.reasons if self.standing else ())],
            "copies": self.copies,
        }


@dataclass(frozen=True)
class Evidence:
    """All that is known about a name at this moment."""

    uri: str
    claims: tuple[ClaimEvidence, ...]
    pinned_fingerprint: str | None
    asked: int
    elapsed_ms: float
    believable: tuple[ClaimEvidence, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "believable", tuple(c for c in self.claims if c.is_believable))

    @property
    def pinned(self) -> ClaimEvidence | None:
        """The claim by the key that we know under this name; of several nodes the one delegated to last."""
        mine = [c for c in self.believable if c.fingerprint == self.pinned_fingerprint]
        return max(mine, key=lambda c: (bool(c.endpoints), c.serial), default=None)

    @property
    def conflict(self) -> bool:
        """True when the name is pinned to one key and only others claim it now."""
        unknown = self.pinned_fingerprint is not None and self.pinned is None and self.forbidden is None
        return unknown and bool(self.claims)

    @property
    def forbidden(self) -> str | None:
        """Why the pinned key must not be used, by the user's own keyring; a sentence, or None."""
        mine = [c.standing for c in self.claims if c.fingerprint == self.pinned_fingerprint]
        return next((standing.problem for standing in mine if standing and standing.problem), None)

    def as_json(self) -> dict[str, Any]:
        """Return the evidence as one stable JSON object."""
        return {
            "uri": self.uri,
            "found": bool(self.believable),
            "conflict": self.conflict,
            "pinned_fingerprint": self.pinned_fingerprint,
            "asked": self.asked,
            "elapsed_ms": round(self.elapsed_ms, 1),
            "claims": [claim.as_json() for claim in self.claims],
        }


@dataclass(frozen=True)
class _Told:
    """What the mesh has said about a name, and about the node that claims it."""

    resolution: Resolution
    record: NodeRecord


class EvidenceGatherer:
    """Asks the overlay about a name and judges what comes back."""

    def __init__(
        self,
        overlay: Directory,
        verifier: Verifier,
        pins: Pins,
        clock: Callable[[], float],
        own_fingerprint: str | None = None,
        standings: Standings | None = None,
    ) -> None:
        self._overlay = overlay
        self._verifier = verifier
        self._pins = pins
        self.standings = standings or Standings(pins)
        self._clock = clock
        self._own_fingerprint = own_fingerprint
        self._told: dict[tuple[str, bytes], _Told] = {}
        self.is_connected: Callable[[bytes], bool] = lambda _node_public_key: False

    async def find(self, uri: str) -> Evidence:
        """Return what is needed to call the canonical ``uri``: of a known person, what their node says, if it is there.

        As long as we are connected with that node (`is_connected`), the mesh need not be asked where it is again.

        Raises:
            overlay.Isolated: there is nobody to ask.
        """
        pin = self._pins.get(uri)
        if pin is not None and pin.node_public_key:
            key = pin.node_public_key
            told = self._told.get((uri, key)) if self.is_connected(key) else None
            evidence = await self.gather(uri, key, told)
            if evidence.pinned is not None and evidence.pinned.endpoints:
                return evidence
        return await self.gather(uri)

    async def locate(self, node_public_key: bytes) -> tuple[tuple[str, int], ...]:
        """Return where the node with that key says it is now, as (host, port); nothing when the mesh does not know."""
        record = await self._overlay.resolve_node(node_public_key)
        return () if record is None else tuple((at.host, at.port) for at in record.endpoints)

    async def gather(self, uri: str, node_public_key: bytes = b"", told: "_Told | None" = None) -> Evidence:
        """Return all that the mesh says about the canonical ``uri``; of a node's key, what it says, if it does.

        Where that node is, is asked for at the same time as what it claims. With ``told`` nothing is asked: that is
        judged anew.

        Raises:
            overlay.Isolated: there is nobody to ask.
        """
        if told is not None:
            known = [await self._judge(uri, found, told.record) for found in told.resolution.claims]
            return self._evidence(uri, told.resolution, known)
        async with asyncio.TaskGroup() as group:
            early = group.create_task(self._where(node_public_key))
            resolution = await group.create_task(self._resolve(uri, node_public_key))
            claims = () if isinstance(resolution, Isolated) else resolution.claims
            if all(found.claim.node_public_key != node_public_key for found in claims):
                early.cancel()
            asked = {node_public_key: early}
            judged = [group.create_task(self._look_and_judge(uri, found, asked)) for found in claims]
        if isinstance(resolution, Isolated):
            raise resolution
        if not early.cancelled() and (record := early.result()) is not None:
            self._remember(uri, node_public_key, _Told(resolution, record))
        return self._evidence(uri, resolution, [task.result() for task in judged])

    def _evidence(self, uri: str, resolution: Resolution, judged: list[ClaimEvidence]) -> Evidence:
        pin = self._pins.get(uri)
        return Evidence(
            uri=uri,
            claims=tuple(sorted(judged, key=lambda c: (not c.is_believable, c.fingerprint))),
            pinned_fingerprint=pin.fingerprint if pin else None,
            asked=resolution.asked,
            elapsed_ms=resolution.elapsed_ms,
        )

    def _remember(self, uri: str, node_public_key: bytes, told: "_Told") -> None:
        self._told.pop((uri, node_public_key), None)
        self._told[uri, node_public_key] = told
        if len(self._told) > MAX_REMEMBERED:
            del self._told[next(iter(self._told))]

    async def _resolve(self, uri: str, node_public_key: bytes) -> Resolution | Isolated:
        try:
            return await self._overlay.resolve(uri, node_public_key)
        except Isolated as isolated:
            return isolated

    async def _where(self, node_public_key: bytes) -> NodeRecord | None:
        return await self._overlay.resolve_node(node_public_key) if node_public_key else None

    async def _look_and_judge(
        self, uri: str, found: FoundClaim, asked: Mapping[bytes, asyncio.Task[NodeRecord | None]]
    ) -> ClaimEvidence:
        """Judge one claim while its node is looked for; ``asked`` has those that are being looked for already."""
        key = found.claim.node_public_key
        async with asyncio.TaskGroup() as group:
            where = asked.get(key) or group.create_task(self._where(key))
            judged = group.create_task(self._judge(uri, found, None))
        return replace(judged.result(), endpoints=record.endpoints if (record := await where) else ())

    async def _judge(self, uri: str, found: FoundClaim, record: NodeRecord | None) -> ClaimEvidence:
        """Judge one claim; its node is where its ``record`` says."""
        claim = found.claim
        fingerprint = claim.fingerprint.hex().upper()
        key, serial, problem = await self._prove(uri, found, fingerprint)
        standing = await self.standings.of(uri, fingerprint)
        return ClaimEvidence(
            fingerprint=fingerprint,
            trust=standing.state,
            node_public_key=claim.node_public_key,
            node_id=node_id_of(claim.node_public_key),
            endpoints=record.endpoints if record else (),
            key=key,
            serial=serial,
            copies=found.copies,
            problem=problem or standing.problem,
            is_own=fingerprint == self._own_fingerprint,
            standing=standing,
        )

    async def _prove(
        self, uri: str, found: FoundClaim, fingerprint: str
    ) -> tuple[bytes | None, int, str | None]:
        """Return the key under the claim, the delegation's serial number, and what is wrong with it.

        A pinned key needs nothing from the mesh, unless its owner has a new subkey since.
        """
        pin = self._pins.get(uri)
        known = pin.key if pin is not None and pin.fingerprint == fingerprint else None
        if known is not None:
            serial, problem = await self._check(uri, found, fingerprint, known)
            if problem is None:
                return known, serial, None
        key = await self._fetch(uri, found.claim.key_blob)
        serial, problem = await self._check(uri, found, fingerprint, key)
        return key or known, serial, problem

    async def _fetch(self, uri: str, blob: bytes) -> bytes | None:
        try:
            packed = await fetch_key(self._overlay, short_uri(uri), blob)
            return None if packed is None else unpack(packed)
        except (WireError, BadKey):
            return None  # whoever made the claim names a blob that is no key of this name

    async def _check(
        self, uri: str, found: FoundClaim, fingerprint: str, key: bytes | None
    ) -> tuple[int, str | None]:
        claim = found.claim
        if found.node_public_key != claim.node_public_key:
            return 0, "The claim was published by another node than the one it names."
        if key is None:
            return 0, "The OpenPGP key of the claim is not on the mesh."
        try:
            signed = SignedDelegation.parse(claim.delegation)
            if signed.fingerprint != fingerprint:
                return 0, "The delegation was made by another key than the one claimed."
            now = self._clock()
            await check(self._verifier, signed, key, now=now, uri=uri, node_public_key=claim.node_public_key)
        except (DelegationRefused, BadKey) as error:
            return 0, str(error)
        return signed.delegation.serial, None
