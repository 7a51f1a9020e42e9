"""A lookup without a node: join the DHT for a moment as a client, ask, leave."""

import asyncio
import time
from pathlib import Path
from typing import Any

from overlay.errors import OverlayError
from overlay.identity import NodeKey
from overlay.protocol.endpoint import Endpoint
from trust.openpgp import KeyVerifier
from trust.pins import Pins

from .addresses import resolve_all
from .config import load_config
from .evidence import EvidenceGatherer
from .meshes import choose_meshes, open_directory
from .store import DataDirectory, FileStore

ANY_PORT = (Endpoint("0.0.0.0", 0), Endpoint("::", 0))  # noqa: S104 - asks from any address


def lookup_as_client(uri: str, data: Path, bootstrap: list[str]) -> dict[str, Any] | None:
    """Return the evidence for ``uri``, or None when no other node answers.

    Raises:
        ConfigError: a bootstrap address is malformed.
    """
    return asyncio.run(_lookup(uri, data, bootstrap))


async def _lookup(uri: str, data: Path, bootstrap: list[str]) -> dict[str, Any] | None:
    endpoints, _ = await resolve_all(bootstrap)
    directory = DataDirectory(data)
    config = load_config(directory.path / "config.toml", must_exist=False)
    meshes = await choose_meshes(directory, (), config.node.networks, (), now=_unix_time())
    async with open_directory(
        NodeKey.generate(),
        meshes,
        directory,
        listen=ANY_PORT,
        bootstrap=endpoints,
        now=_unix_time(),
        client=True,
    ) as overlay:
        if not await overlay.join():
            return None
        gatherer = EvidenceGatherer(overlay, KeyVerifier(), Pins(FileStore(data / "pins.json")), _unix_time)
        try:
            return (await gatherer.gather(uri)).as_json()
        except OverlayError:
            return None


def _unix_time() -> float:
    return time.time()  # noqa: TID251 - a composition root
