"""A node on a wire that ends in a list: what it would send is kept, what it receives is given to it by hand."""

import asyncio
import random
from typing import Any

from overlay.identity import NodeKey
from overlay.overlay import Overlay
from overlay.protocol.contact import Contact
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.nodeid import NodeId
from overlay.protocol.record import Kind, sign_record
from overlay.protocol.record_store import MAX_SLOTS

HERE = Endpoint("45.0.0.1", 7350)
NAME = NodeId(b"n" * 20)


class Tap(asyncio.DatagramTransport):
    """A transport that sends into ``sent``: (datagram, address)."""

    def __init__(self, host: str = HERE.host) -> None:
        super().__init__()
        self._host = host
        self.sent: list[tuple[bytes, tuple[str, int]]] = []

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Keep it."""
        self.sent.append((bytes(data), addr))

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return where it is bound."""
        return (self._host, HERE.port) if name == "sockname" else default

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


def crowded(seed: int = 1) -> tuple[Overlay, Tap]:
    """Return a node that has much to answer: a full table, sixteen claims under a name."""
    overlay, tap = tapped(seed)
    dice = random.Random(seed)
    for number in range(300):
        host = f"2a00:{number:x}::1" if number % 2 else f"45.{number // 2}.0.1"
        overlay._protocol.router.add(Contact(NodeId(dice.randbytes(20)), Endpoint(host, 7350)))
    for number in range(MAX_SLOTS):
        key = NodeKey.from_seed(number.to_bytes(32, "big"))
        raw = sign_record(Kind.CLAIM, NAME, key.public_key, 1, 3600, bytes(50 * number), key.sign).raw
        overlay._protocol.store_of_records.put(NAME, Kind.CLAIM, raw, f"47.{number}.0.1", 0)
    return overlay, tap
