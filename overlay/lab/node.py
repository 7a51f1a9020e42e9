"""One node of a simulated mesh, and what the laboratory may see of it that its owner may not."""

import asyncio
from dataclasses import dataclass, field, replace
from functools import cached_property

from overlay.dht import MeshProtocol
from overlay.events import OverlayEvent
from overlay.identity import NodeKey
from overlay.jobs import Jobs
from overlay.overlay import Overlay
from overlay.protocol.contact import Contact
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.responder import Responder
from overlay.udp import OpenSocket

from .dice import dice
from .internet import Internet, Socket, Traffic
from .nat import Nat

PORT = 7350
FIRST_BLOCK = 45
HOSTS_PER_PREFIX_STEP = 7


def neighbour_host(host: str) -> str:
    """Return the address beside another, in the same /24."""
    network, _, last = host.rpartition(".")
    return f"{network}.{int(last) + 1}"


def public_host(number: int, per_prefix: int) -> str:
    """Return the address of host ``number``, ``per_prefix`` of them side by side in a /24: 45.0.0.1, 45.0.1.1 …"""
    prefix, place = divmod(number, per_prefix)
    block, rest = divmod(prefix, 65_536)
    return f"{FIRST_BLOCK + block}.{rest >> 8}.{rest & 255}.{1 + place * HOSTS_PER_PREFIX_STEP % 250}"


@dataclass(eq=False)
class LabNode:
    """A member of the mesh: who it is, where it is, whether it lives; ``overlay`` is None until it is needed."""

    number: int
    seed: bytes
    host: str
    nat: Nat | None = None
    listens: Endpoint | None = None
    alive: bool = True
    hostile: bool = False
    has_acted: bool = False
    responder: Responder | None = None
    """What answers for it in place of its own, for a hostile node."""
    born: float = 0.0
    overlay: Overlay | None = None
    socket: Socket | None = None
    events: list[OverlayEvent] = field(default_factory=list)
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    up: asyncio.Event = field(default_factory=asyncio.Event)
    down: asyncio.Event = field(default_factory=asyncio.Event)

    @cached_property
    def key(self) -> NodeKey:
        """Its key."""
        return NodeKey.from_seed(self.seed)

    @cached_property
    def contact(self) -> Contact:
        """It, as others know it."""
        return Contact(self.key.node_id, self.endpoint)

    @property
    def endpoint(self) -> Endpoint:
        """Where others reach it."""
        return Endpoint(self.host, PORT)

    @property
    def protocol(self) -> MeshProtocol:
        """Its side of the wire."""
        if self.overlay is None:
            raise LookupError(f"node {self.number} was never started")
        return self.overlay._protocol  # noqa: SLF001 - the laboratory looks inside

    @property
    def jobs(self) -> Jobs:
        """Its background tasks."""
        if self.overlay is None:
            raise LookupError(f"node {self.number} was never started")
        return self.overlay._jobs  # noqa: SLF001 - the laboratory looks inside

    def make(self, internet: Internet, *, k: int, bootstrap: tuple[Endpoint, ...] = ()) -> Overlay:
        """Make its overlay, with nothing running yet."""
        self.overlay = Overlay(
            self.key,
            listen=[self.listens or self.endpoint],
            bootstrap=bootstrap,
            on_event=self.events.append,
            open_socket=self._opener(internet),
            dice=dice(int.from_bytes(self.seed, "big")),
            boot_clock=asyncio.get_running_loop().time,  # nobody sleeps here, however slow the experiment
            k=k,
        )
        self.adopt_responder()
        return self.overlay

    def adopt_responder(self) -> None:
        """Let its hostile responder answer, if it has one and runs."""
        if self.responder is not None and self.overlay is not None:
            self.protocol._responder = self.responder  # noqa: SLF001 - the laboratory turns it

    def attach(self, internet: Internet) -> Socket:
        """Put it on the Internet without running it: it answers, and does nothing by itself."""
        self.socket = internet.open(self.listens or self.endpoint, self.protocol, self.nat)
        return self.socket

    def _opener(self, internet: Internet) -> OpenSocket:
        async def open_socket(endpoint: Endpoint, protocol: asyncio.DatagramProtocol) -> Socket:
            self.socket = internet.open(endpoint, protocol, self.nat)
            return self.socket

        return open_socket

    def silence(self) -> None:
        """Cut its cable: nothing goes out or in, and nobody is told."""
        self.alive = False
        if self.socket is not None:
            self.socket.silent = True

    def unsilence(self) -> None:
        """Plug it in again."""
        self.alive = True
        if self.socket is not None:
            self.socket.silent = False

    def holds(self, target: bytes, now: float) -> bool:
        """Tell whether it has a live value under ``target``."""
        return bool(self.overlay and self.protocol.store_of_records.get(target, now))

    def traffic(self) -> Traffic:
        """Return what it sent and received so far."""
        return replace(self.socket.traffic) if self.socket is not None else Traffic()

    @property
    def group(self) -> int:
        """Its side of a partition."""
        return self.socket.group if self.socket is not None else 0
