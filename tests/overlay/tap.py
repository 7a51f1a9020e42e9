"""A node on a wire that ends in a list: what it would send is kept, what it receives is given to it by hand."""

import asyncio
import random
from typing import Any

from overlay.identity import NodeKey
from overlay.overlay import Overlay
from overlay.protocol.endpoint import Endpoint

HERE = Endpoint("45.0.0.1", 7350)


class Tap(asyncio.DatagramTransport):
    """A transport that sends into ``sent``: (datagram, address)."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[bytes, tuple[str, int]]] = []

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Keep it."""
        self.sent.append((bytes(data), addr))

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return where it is bound."""
        return (HERE.host, HERE.port) if name == "sockname" else default

    def is_closing(self) -> bool:
        """Stay open."""
        return False

    def close(self) -> None:
        """Do nothing."""


def tapped(seed: int = 1) -> tuple[Overlay, Tap]:
    """Return a node that is not running: it answers, and does nothing by itself."""
    tap = Tap()
    overlay = Overlay(NodeKey.from_seed(seed.to_bytes(32, "big")), listen=[HERE], dice=random.Random(seed))
    overlay._protocol.connection_made(tap)
    return overlay, tap
