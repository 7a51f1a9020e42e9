"""A mesh of simulated nodes: built by joining, one after the other, or settled all at once; killed, parted, healed."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from overlay.overlay import K, Overlay
from overlay.protocol.claim import Claim, claim_target, seal
from overlay.protocol.contact import Contact
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.nodeid import NodeId
from overlay.protocol.record import Kind, sign_record
from overlay.protocol.record_store import OWN
from overlay.publisher import TTL_SECONDS

from .census import Census
from .dice import dice
from .internet import Internet, Socket
from .nat import Address, Nat, NatKind
from .node import PORT, LabNode, neighbour_host, public_host

DELEGATION_BYTES = 200
JOINS_PER_SECOND = 10.0
BOOTSTRAP_NODES = 3


@dataclass(frozen=True)
class Mesh:
    """What a mesh is made of.

    ``settled``: as after a long life, without upkeep, each bucket ``fill`` full; else joined, and alive in all ways.
    ``nat``: shares of the nodes behind a translator, by kind. ``per_prefix``: how many share a /24.
    """

    nodes: int = 100
    settled: bool = False
    k: int = K
    mean_rtt_ms: float = 80.0
    loss: float = 0.0
    per_prefix: int = 1
    fill: float = 1.0
    nat: dict[NatKind, float] = field(default_factory=dict)


@dataclass(eq=False)
class Name:
    """A name on the mesh: who published it, and which version is the newest."""

    uri: str
    owner: LabNode
    version: int = 1
    is_published: bool = False
    is_unlisted: bool = False
    placed: tuple[int, ...] = ()
    """In a settled mesh: the numbers of the nodes that were given it."""

    def __post_init__(self) -> None:
        self.target: NodeId = claim_target(self.uri)
        """Where its claims lie."""

    def claim(self) -> Claim:
        """Return the claim of the newest version."""
        text = f"version {self.version}".encode()
        return Claim(bytes(20), self.owner.key.public_key, bytes(20), text.ljust(DELEGATION_BYTES, b"."))


class World:
    """An async context manager around the mesh. All chance comes from ``seed``."""

    def __init__(self, mesh: Mesh, seed: int) -> None:
        self.mesh = mesh
        self.dice = dice(f"world {seed}")
        self.internet = Internet(dice(f"internet {seed}"), mean_rtt=mesh.mean_rtt_ms / 1000, loss=mesh.loss)
        self.nodes: list[LabNode] = []
        self.names: list[Name] = []
        self.seed = seed
        self._group = asyncio.TaskGroup()
        self._made = 0
        self._named = 0
        self._census: Census | None = None
        self._by_host: dict[str, LabNode] = {}
        self._given: dict[int, list[tuple[Name, bytes]]] = {}

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in self.nodes:  # nobody says goodbye: the experiment is over
            node.silence()
            node.leaving.set()
        await self._group.__aexit__(kind, error, trace)

    @property
    def now(self) -> float:
        """Virtual seconds since the world began."""
        return asyncio.get_running_loop().time()

    def alive(self) -> list[LabNode]:
        """Return the honest nodes that live."""
        return [node for node in self.nodes if node.alive and not node.hostile]

    def task(self, job: Coroutine[Any, Any, None]) -> None:
        """Run something beside the mesh, until it ends by itself."""
        self._group.create_task(job)

    # -- making nodes --------------------------------------------------------------------------------------------

    def add(self, seed: bytes | None = None, beside: LabNode | None = None) -> LabNode:
        """Make a member, with a key and an address of its own, or one ``beside`` another's; it does nothing yet."""
        number = self._made
        self._made += 1
        host = neighbour_host(beside.host) if beside else public_host(number, self.mesh.per_prefix)
        node = LabNode(number, seed or self.dice.randbytes(32), host, born=self.now)
        kind = self._nat_kind()
        if kind is not None:
            node.nat = Nat(kind, host)
            node.listens = Endpoint(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", PORT)
        self.nodes.append(node)
        self._by_host[host] = node
        return node

    def _nat_kind(self) -> NatKind | None:
        if not self.mesh.nat or len(self.nodes) < BOOTSTRAP_NODES:
            return None
        kinds: list[NatKind | None] = [*self.mesh.nat, None]
        weights = [*self.mesh.nat.values(), 1.0 - sum(self.mesh.nat.values())]
        return self.dice.choices(kinds, weights)[0]

    async def join(
        self, count: int, on_progress: Callable[[float], None] = lambda _share: None
    ) -> list[LabNode]:
        """Let ``count`` new nodes join, ten each second, by the first three; return when all have."""
        made = []
        for number in range(count):
            made.append(self.start(self.add()))
            on_progress(number / count)
            await asyncio.sleep(self.dice.expovariate(JOINS_PER_SECOND))
        for node in made:
            await node.up.wait()
        return made

    def start(self, node: LabNode) -> LabNode:
        """Let a node run, and join; ``node.up`` is set when it has."""
        first = [n.endpoint for n in self.nodes[:BOOTSTRAP_NODES] if n is not node]
        node.alive = True
        overlay = node.make(self.internet, k=self.mesh.k, bootstrap=tuple(first))
        self._group.create_task(self._live(node, overlay))
        return node

    async def _live(self, node: LabNode, overlay: Overlay) -> None:
        async with overlay:
            await overlay.join()
            node.up.set()
            await node.leaving.wait()
        node.alive = False
        node.down.set()

    def bury(self, node: LabNode) -> None:
        """Forget a node that is gone for good, and what it published."""
        self.nodes.remove(node)
        self._by_host.pop(node.host, None)
        self.names = [name for name in self.names if name.owner is not node]

    # -- a settled mesh ------------------------------------------------------------------------------------------

    @property
    def is_settled(self) -> bool:
        """Tell whether it was built by `settle`."""
        return self._census is not None

    def settle(self) -> None:
        """Make a mesh at once in which each node knows whom it would know after a long life. Nodes do no upkeep."""
        for _ in range(self.mesh.nodes):
            self.add().up.set()
        self.internet.lazily = self._reached
        self.know_each_other()

    def know_each_other(self) -> None:
        """Let all that were added be known to all that have not been reached by anybody yet."""
        ids = [node.key.node_id for node in self.nodes]
        self._census = Census(ids, self._contact, k=self.mesh.k, seed=self.seed, fill=self.mesh.fill)

    def _contact(self, number: int) -> Contact:
        return self.nodes[number].contact

    def _reached(self, address: Address) -> Socket | None:
        node = self._by_host.get(address[0])
        if node is None or not node.alive or address[1] != PORT or node.overlay is not None:
            return None
        self._wake(node)
        return node.socket

    def _wake(self, node: LabNode) -> Overlay:
        if node.overlay is not None:
            return node.overlay
        overlay = node.make(self.internet, k=self.mesh.k)
        node.attach(self.internet)
        if self._census is not None:
            node.protocol.router.buckets = self._census.buckets(node.contact.long_id)
        for name, raw in self._given.pop(node.number, ()):
            self._put(node, name, raw)
        return overlay

    def _put(self, node: LabNode, name: Name, raw: bytes) -> None:
        host = OWN if node is name.owner else name.owner.host
        node.protocol.store_of_records.put(name.target, int(Kind.CLAIM), raw, host, self.now)

    async def acting(self, node: LabNode) -> Overlay:
        """Return the overlay of a node that shall resolve or publish; a settled one has known its contacts' speed."""
        if self._census is None:
            await node.up.wait()
            if node.overlay is None:
                raise LookupError(f"node {node.number} was never started")
            return node.overlay
        overlay = self._wake(node)
        if not node.has_acted:
            node.has_acted = True
            for contact in node.protocol.router:
                there_and_back = 2 * self.internet.delay(node.host, contact.endpoint.host)
                node.protocol.round_trips.learn(contact.address, there_and_back)
            self._group.create_task(self._run_jobs(node))
            await asyncio.sleep(0)
        return overlay

    async def _run_jobs(self, node: LabNode) -> None:
        async with node.jobs:
            await node.leaving.wait()

    # -- names ---------------------------------------------------------------------------------------------------

    def name(self, owner: LabNode, *, unlisted: bool = False) -> Name:
        """Make a name that is not published yet; an ``unlisted`` one has a secret in it that nobody guesses."""
        secret = f"+{self.dice.getrandbits(80):020x}" if unlisted else ""
        name = Name(f"sip:name{self._named}{secret}@mesh", owner, is_unlisted=unlisted)
        self._named += 1
        self.names.append(name)
        return name

    def place(self, name: Name) -> None:
        """Put a name's claim where its owner would have published it: only honest nodes keep it."""
        if self._census is None:
            raise LookupError("values are placed in a settled mesh only; publish them")
        key, target = name.owner.key, name.target
        payload = seal(name.uri, name.claim(), name.version)
        record = sign_record(Kind.CLAIM, target, key.public_key, name.version, TTL_SECONDS, payload, key.sign)
        near = self._census.holders(int.from_bytes(target, "big"), name.owner.contact.long_id)
        name.placed = tuple(
            number for number in dict.fromkeys([name.owner.number, *near]) if not self.nodes[number].hostile
        )
        name.is_published = True
        for node in [self.nodes[number] for number in name.placed]:
            if node.overlay is None:
                self._given.setdefault(node.number, []).append((name, record.raw))
            else:
                self._put(node, name, record.raw)

    def has(self, node: LabNode, name: Name) -> bool:
        """Tell whether a node holds a name, its own or for another."""
        if node.overlay is None:
            return node.number in name.placed
        return node is name.owner or node.holds(name.target, self.now)

    def copies(self, name: Name) -> int:
        """Count the honest living nodes that hold a name, its owner not counted."""
        nodes = self.nodes if self._census is None else [self.nodes[number] for number in name.placed]
        others = [node for node in nodes if node.alive and not node.hostile and node is not name.owner]
        return sum(self.has(node, name) for node in others)

    # -- events --------------------------------------------------------------------------------------------------

    def kill(self, nodes: Iterable[LabNode]) -> None:
        """Silence nodes for ever, without a goodbye."""
        for node in nodes:
            node.silence()
            node.leaving.set()

    def replace(self, node: LabNode, *, polite: bool) -> LabNode:
        """Let a node go, with or without a goodbye, and another one come."""
        if not polite:
            node.silence()
        node.leaving.set()
        self.bury(node)
        return self.start(self.add())

    def move(self, node: LabNode) -> None:
        """Give a node that is not behind a translator a new address, in another network; it is not told."""
        if node.socket is None or node.nat is not None:
            return
        self._by_host.pop(node.host, None)
        node.host = public_host(self._made, self.mesh.per_prefix)
        self._made += 1
        node.contact = Contact(node.key.node_id, node.endpoint)
        self.internet.move(node.socket, node.endpoint)

    def part(self, groups: int) -> None:
        """Part the mesh in so many groups of nearly equal size, between which nothing passes."""
        everybody = [node for node in self.nodes if node.socket is not None]
        self.dice.shuffle(everybody)
        for place, node in enumerate(everybody):
            if node.socket is not None:
                node.socket.group = place % groups
        self.internet.part()

    def some(self, share: float, among: Sequence[LabNode]) -> list[LabNode]:
        """Return a share of the nodes, by chance."""
        return self.dice.sample(among, round(share * len(among)))
