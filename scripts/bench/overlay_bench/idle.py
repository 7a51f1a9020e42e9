"""What a node costs that does nothing, and what a liar about its address can make it send.

All nodes have published one value and are then left alone; the wire counts. After that a stranger puts each question of
the protocol, as short as it is accepted, and everything that comes back within a second counts as answer.
"""

import asyncio
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from .network import PORT, address
from .relay import HEADER_BYTES, Wire
from .scenario import Report
from .systems import Swarm, started

STRANGER = 1000
LISTEN_SECONDS = 1.0
IN_ORDER_SECONDS = 0.2
ASKED_NODES = 10


@dataclass(frozen=True)
class Plan:
    """How much of everything; times in seconds."""

    nodes: int = 300
    settle: float = 90.0
    window: float = 30.0
    between: float = 0.02
    seed: int = 1
    k: int | None = None


async def run(system: str, plan: Plan, wire: Wire, report: Report) -> None:
    """Measure; ``report`` gets the figures while the nodes still run."""
    async with started(system, plan.nodes, plan.k, plan.seed) as swarm:
        async with asyncio.TaskGroup() as group:
            for node in range(plan.nodes):
                group.create_task(swarm.publish(node, node))
                await asyncio.sleep(plan.between)
        await asyncio.sleep(plan.settle)
        wire.reset()
        await asyncio.sleep(plan.window)
        counted = wire.traffic()
        figures = _per_second(list(counted.values()), plan)
        probes = await _probe(swarm, plan, wire)
        figures["largest_datagram"] = wire.largest()
        report({"k": swarm.k, "copies": swarm.copies, **figures, "amplification": probes})


def _per_second(counted: list[list[int]], plan: Plan) -> dict[str, Any]:
    """Return bytes per second and node, sent and received together; a node that was silent counts with 0."""
    shares = [(sent + got, out + into) for sent, out, got, into in counted]
    silent = [(0, 0)] * (plan.nodes - len(shares))
    on_the_wire = [size / plan.window for _, size in shares + silent]
    bare = [(size - packets * HEADER_BYTES) / plan.window for packets, size in shares + silent]
    return {
        "bytes_per_second": fmean(on_the_wire),
        "payload_per_second": fmean(bare),
        "busiest_bytes_per_second": max(on_the_wire),
        "requests_per_second": sum(packets for packets, _ in shares) / 4 / plan.window,
    }


async def _probe(swarm: Swarm, plan: Plan, wire: Wire) -> dict[str, float]:
    """Return for each kind of question how many bytes came for each byte sent, the worst of some nodes."""
    worst: dict[str, float] = {}
    asked = range(0, plan.nodes, max(1, plan.nodes // ASKED_NODES))
    wire.reset()
    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(_ask_all(swarm.questions(node), node, wire)) for node in asked]
    for task in asking:
        for kind, ratio in task.result().items():
            worst[kind] = max(worst.get(kind, 0.0), ratio)
    return worst


async def _ask_all(questions: dict[str, bytes], node: int, wire: Wire) -> dict[str, float]:
    """Put each question to a node from an address of its own; return what came back for each byte."""
    strangers = {}
    with ExitStack() as open_sockets:
        for number, (kind, question) in enumerate(questions.items(), STRANGER + node * len(questions)):
            asking = open_sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            asking.bind((address(number), PORT))
            asking.sendto(question, (address(node), PORT))
            strangers[kind] = number
            await asyncio.sleep(IN_ORDER_SECONDS)
        await asyncio.sleep(LISTEN_SECONDS)
    counted = wire.traffic()
    ratios = {}
    for kind, stranger in strangers.items():
        packets, size = counted.get(stranger, [0, 0, 0, 0])[2:]
        ratios[kind] = (size - packets * HEADER_BYTES) / len(questions[kind])
    return ratios
