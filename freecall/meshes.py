"""The networks that a node takes part in: their lists read, their overlays made, behind one port."""

import asyncio
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from overlay.events import OverlayEvent
from overlay.identity import NodeKey
from overlay.overlay import Overlay
from overlay.overlays import Overlays, together
from overlay.protocol.bootstrap_list import ListRefused
from overlay.protocol.endpoint import Endpoint
from overlay.shared_sockets import SharedSockets
from overlay.udp import open_udp_socket

from .bootstrap import KnownKey
from .bootstrap_lists import BootstrapLists, KnownNetwork
from .bootstrap_source import is_url, read_source
from .bootstrap_taking import accept, judged
from .errors import FreeCallError
from .store import DataDirectory, FileStore

FETCH_SECONDS = 4.0
Directory = Overlay | Overlays
"""What is asked about names: one network or several."""


@dataclass(frozen=True)
class Meshes:
    """The networks chosen, and sentences on what a person should know of their lists."""

    networks: tuple[KnownNetwork, ...]
    warnings: tuple[str, ...] = ()

    def described(self) -> list[dict[str, object]]:
        """Return the networks as the ``ready`` event tells them."""
        return [
            {"name": one.name, "network": one.network.label, "private": bool(one.network.key)}
            for one in self.networks
        ]


async def choose_meshes(
    data: DataDirectory, sources: Sequence[str], names: Sequence[str], known: Sequence[KnownKey], now: float
) -> Meshes:
    """Take the lists that the configuration names, and return the networks to take part in.

    A list that cannot be had now is no reason not to start: what was taken before is there, and a sentence tells.

    Raises:
        ConfigError: a network is named of which there is no list.
    """
    lists = BootstrapLists(data)
    async with asyncio.TaskGroup() as group:
        taking = [group.create_task(_take(lists, source, known)) for source in sources]
    networks = tuple(lists.chosen(names))
    complaints = [one.complaint(now) for one in networks if one.lists]
    told = [task.result() for task in taking] + lists.damaged() + complaints
    return Meshes(networks, tuple(text for text in told if text))


def meet_new(data: DataDirectory, directory: Directory, now: float) -> list[str]:
    """Let a running node try the lists that were imported since; return the networks that it is on, by label."""
    lists = BootstrapLists(data)
    known = {one.network.label: (one.network, lists.entries(one, now)) for one in lists.networks()}
    return [
        label
        for label, (network, entries) in known.items()
        if directory.meet(network, [entry.endpoint for entry in entries])
    ]


async def _take(lists: BootstrapLists, source: str, known: Sequence[KnownKey]) -> str:
    """Keep a configured list; return what went wrong, in a sentence."""
    try:
        if is_url(source):
            async with asyncio.timeout(FETCH_SECONDS):
                signed, way = await asyncio.to_thread(read_source, source, io.BytesIO())
        else:
            signed, way = read_source(source, io.BytesIO())
        taken = await judged(signed, way, known)
        accept(taken, vouched=False)
        lists.keep(signed)
    except TimeoutError:
        return f"{source} did not answer within {FETCH_SECONDS:g} seconds; lists taken before are used."
    except ListRefused as error:
        return f"The list from {source} is refused: {error}."
    except FreeCallError as error:
        return str(error)
    return ""


def open_directory(
    key: NodeKey,
    meshes: Meshes,
    data: DataDirectory,
    *,
    listen: Sequence[Endpoint],
    bootstrap: Sequence[Endpoint],
    now: float,
    lan: bool = False,
    client: bool = False,
    on_event: Callable[[OverlayEvent], None] = lambda _event: None,
) -> Directory:
    """Return the overlay, or several behind one port; a context manager. A client leaves the data directory alone."""
    lists, shared = BootstrapLists(data), SharedSockets()
    each = []
    for one, tell in zip(meshes.networks, together(len(meshes.networks), on_event), strict=True):
        named = [entry.endpoint for entry in lists.entries(one, now)]
        peers = lists.peers(one.network)
        suffix = f"-{one.network.label}" if one.network.key else ""
        each.append(
            Overlay(
                key,
                listen=listen,
                bootstrap=tuple(dict.fromkeys([*bootstrap, *named])),
                peers=_ReadOnly(peers.path) if client else peers,
                sequence=None if client else data.file(f"sequence{suffix}"),
                lan=lan,
                client=client,
                on_event=tell,
                network=one.network,
                open_socket=shared.of(one.network) if len(meshes.networks) > 1 else open_udp_socket,
            )
        )
    return each[0] if len(each) == 1 else Overlays(each)


class _ReadOnly(FileStore):
    """The node's remembered peers; a guest changes nothing."""

    def save(self, data: bytes) -> None:
        """Keep nothing."""
