"""An hour of a quiet mesh in virtual time: what the minutes that `idle` watches do not show, republishing above all.

Our own nodes only, on the laboratory's Internet in memory. Each has published what a user's node does: a claim, its
own record, and an OpenPGP key.
"""

import asyncio
import hashlib
from contextlib import AsyncExitStack
from random import Random
from statistics import fmean
from typing import Any

from overlay.identity import NodeKey
from overlay.lab import virtual_time
from overlay.lab.internet import Internet
from overlay.overlay import Overlay
from overlay.protocol.claim import Claim
from overlay.protocol.endpoint import Endpoint

from .network import PORT, address
from .scenario import Report
from .system_freecall import DELEGATION_BYTES
from .systems import join_in_waves, text_of

BLOB_BYTES = 900
WARM_UP_SECONDS = 600.0


def run(nodes: int, seconds: float, report: Report, seed: int = 1) -> None:
    """Run the mesh; ``report`` gets the bytes per second of a node, sent and received, with IP and UDP headers."""
    virtual_time.run(_run(nodes, seconds, report, seed))


async def _run(nodes: int, seconds: float, report: Report, seed: int) -> None:
    internet, dice = Internet(Random(seed)), Random(seed)
    sockets = []

    async def open_socket(endpoint: Endpoint, protocol: asyncio.DatagramProtocol) -> Any:
        sockets.append(internet.open(endpoint, protocol))
        return sockets[-1]

    async with AsyncExitStack() as stack:

        async def live(number: int, through: int | None) -> None:
            key = NodeKey.from_seed(hashlib.sha256(f"{seed}/{number}".encode()).digest())
            here = Endpoint(address(number), PORT)
            known = () if through is None else (Endpoint(address(through), PORT),)
            node = Overlay(
                key, listen=[here], bootstrap=known, open_socket=open_socket, dice=Random(f"{seed}/{number}")
            )
            await stack.enter_async_context(node)
            await node.join()
            await node.publish_node([here])
            await node.publish_blob(dice.randbytes(BLOB_BYTES))
            claim = Claim(bytes(20), key.public_key, bytes(20), bytes(DELEGATION_BYTES))
            await node.publish_claim(text_of(number), claim)

        await live(0, None)
        await join_in_waves(nodes, live, seed)
        await asyncio.sleep(WARM_UP_SECONDS)
        before = [_bytes(socket) for socket in sockets]
        await asyncio.sleep(seconds)
        spent = [(_bytes(socket) - was) / seconds for socket, was in zip(sockets, before, strict=True)]
        report({"mean": fmean(spent), "busiest": max(spent), "largest_datagram": internet.largest})


def _bytes(socket: Any) -> int:
    return int(socket.traffic.sent_bytes + socket.traffic.received_bytes)
