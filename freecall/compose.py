"""The one place that knows all packages: makes the parts of a node and plugs them into each other."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from overlay.overlay import Overlay
from overlay.protocol.endpoint import Endpoint
from sipgate.gateway import Gateway
from sipgate.limits import Limits
from sipgate.ports import LocalUser, Service
from trust.pins import Pins

from . import __version__
from .adapters import MeshAdmission, MeshDirectory, OneUser, PeerKeys, Self
from .addresses import resolve_all
from .announce import Announcer
from .config import MESH_PORT, SIP_PORT, Config
from .control.server import serve
from .events import EventLog
from .evidence import EvidenceGatherer
from .identity import Identity, open_identity
from .listen import free_port, hosts_of
from .mesh_media import MeshMedia, warm_up
from .mesh_uri import DOMAIN, canonical
from .news import gateway_news, overlay_news
from .node import Node
from .provisioning import SipAccount, write_provisioning
from .store import DataDirectory
from .supervise import Supervisor

ALL_ADDRESSES = ("0.0.0.0", "::")  # noqa: S104 - a node is there to be reached
ECHO = canonical("echo")


def wall_clock() -> float:
    """Return Unix time: for delegations, pins and events. Everything that waits uses the loop's clock."""
    return time.time()  # noqa: TID251 - the composition root passes it to all who need it


@dataclass(frozen=True)
class Ports:
    """Where the node listens."""

    mesh_hosts: tuple[str, ...]
    mesh: int
    sip_host: str
    sip: int

    @classmethod
    def choose(cls, config: Config) -> "Ports":
        """Return the ports of the configuration, or the next free ones after the defaults.

        Raises:
            NoFreePort: a port that was asked for is taken.
        """
        hosts, port, exact = hosts_of(config.node.listen, ALL_ADDRESSES, MESH_PORT)
        sip_hosts, sip_port, sip_exact = hosts_of(config.phones.sip, ["127.0.0.1"], SIP_PORT)
        return cls(
            mesh_hosts=tuple(hosts),
            mesh=free_port(hosts, port, exact=exact),
            sip_host=sip_hosts[0],
            sip=free_port(sip_hosts, sip_port, exact=sip_exact),
        )

    def mesh_endpoints(self) -> list[Endpoint]:
        """Return the sockets of the mesh."""
        return [Endpoint(host, self.mesh) for host in self.mesh_hosts]


@asynccontextmanager
async def open_node(config: Config, data: DataDirectory, log: EventLog) -> AsyncIterator[Node]:
    """Run a node while the block runs. It is ready for phones and other nodes when the block begins.

    Raises:
        FreeCallError: something that the user can mend stands in the way.
    """
    bootstrap, problems = await resolve_all(config.node.bootstrap)
    identity = await open_identity(data, config, now=wall_clock())
    ports = Ports.choose(config)
    pins = Pins(data.file("pins.json"))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(identity.keyring.aclose)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        supervisor = Supervisor(group)
        overlay = await stack.enter_async_context(_overlay(config, data, identity, ports, bootstrap, log))
        keys = PeerKeys()
        me = _self(config, identity)
        gatherer = EvidenceGatherer(overlay, identity.keyring, pins, wall_clock)
        directory = MeshDirectory(me, gatherer, keys, lambda: _own_endpoints(ports))
        admission = MeshAdmission(me, identity.keyring, pins, keys, wall_clock)
        news = gateway_news(log)
        media = MeshMedia(me, identity.keyring, pins, keys, log, news.call_of, wall_clock, supervisor)
        gateway = await stack.enter_async_context(
            Gateway(
                node_key=identity.node_key.private_key,
                accounts=OneUser(me.user, identity.uris),
                directory=directory,
                admission=admission,
                media=media,
                services=_services(config, identity),
                on_event=news,
                domain=DOMAIN,
                limits=Limits(ring_timeout=float(config.calls.ring_seconds)),
                supervise=supervise,
            )
        )
        for host in ports.mesh_hosts:
            await gateway.listen_mesh(host, ports.mesh)
        await gateway.listen_phones(ports.sip_host, ports.sip)
        node = Node(identity, gateway, gatherer, log)
        control = await stack.enter_async_context(serve(node, data.path))
        node.ready = _ready(identity, ports, data, str(control))
        log.emit("ready", **node.ready)
        for problem in problems:
            log.emit("warning", text=problem)
        announcer = Announcer(identity, overlay, ports.mesh_endpoints(), log)
        tasks = [
            supervisor.start(announcer.run(), name="announce"),
            supervisor.start(warm_up(), name="load the media package"),
        ]
        try:
            yield node
        finally:
            for task in tasks:
                task.cancel()
