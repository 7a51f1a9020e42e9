"""Real phones talk on while a node's address changes."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from tests.interop.conftest import MESH_PORT
from tests.kit.capture import Capture
from tests.kit.netns import Lan, ip
from tests.kit.nodes import DataDirectory, Node, resolves, two_nodes
from tests.kit.site import Site, connect, secured

pytestmark = [pytest.mark.interop, pytest.mark.namespaces]

GAP_SECONDS = 1.0
MOVES = 6


def _media(wire: Capture, host: str) -> list[float]:
    """When the SRTP packets of a host came by."""
    return [
        packet.at
        for packet in wire.packets
        if packet.protocol == "udp"
        and packet.source[0] == host
        and packet.payload
        and 127 < packet.payload[0] < 192
    ]


def _speaks(wire: Capture, host: str) -> bool:
    return len(_media(wire, host)) >= 25


async def test_six_times_the_address_changes_and_nobody_is_cut_off(
    voices: Mapping[str, Mapping[int, Path]],
) -> None:
    async with AsyncExitStack() as stack:
        lan = stack.enter_context(Lan("a", "b"))
        nodes = await stack.enter_async_context(two_nodes(lan))
        sites: list[Site] = []
        for node, host in zip(nodes, "ab", strict=True):
            loopback = await stack.enter_async_context(Capture("lo", lan.namespace(host)))
            sites.append(Site(node, loopback, voices[node.name]))
        alice, bob = sites
        await resolves(alice.node, bob.node)
        await resolves(bob.node, alice.node)
        wire = await stack.enter_async_context(Capture("eth0", lan.namespace("b")))
        async with alice.phone() as caller, bob.phone() as callee:
            await connect(caller, callee, bob.node.uri)
            await secured(alice.node, bob.node)
            home, network = lan.namespace("a"), lan.address("a").rpartition(".")[0]
            address = lan.address("a")
            for number in range(MOVES):
                fresh = f"{network}.{100 + number}"
                ip("-n", home, "address", "delete", f"{address}/24", "dev", "eth0")
                ip("-n", home, "address", "add", f"{fresh}/24", "dev", "eth0")
                address = fresh
                await wire.until(partial(_speaks, wire, fresh), "media from there", timeout=5)
            spoken = sorted(at for number in range(MOVES) for at in _media(wire, f"{network}.{100 + number}"))
            gaps = [later - earlier for earlier, later in pairwise(spoken)]
            assert max(gaps) < GAP_SECONDS


async def test_both_move_at_once_on_a_switch_without_any_internet(
    voices: Mapping[str, Mapping[int, Path]],
) -> None:
    async with AsyncExitStack() as stack:
        lan = stack.enter_context(Lan("c", "a", "b"))
        sites: list[Site] = []
        first = f"{lan.address('c')}:{MESH_PORT}"
        for name, host in (("carol", "c"), ("alice", "a"), ("bob", "b")):
            folder, namespace = stack.enter_context(DataDirectory(name)), lan.namespace(host)
            bootstrap = [first] if sites else []
            node = Node(name, folder, namespace=namespace, listen="", sip="", bootstrap=bootstrap)
            await stack.enter_async_context(node)
            loopback = await stack.enter_async_context(Capture("lo", namespace))
            sites.append(Site(node, loopback, voices["alice"]))
        _, alice, bob = sites
        await resolves(alice.node, bob.node)
        async with alice.phone() as caller, bob.phone() as callee:
            await connect(caller, callee, bob.node.uri)
            await secured(alice.node, bob.node)
            heard = alice.traffic(caller), bob.traffic(callee)
            for number in range(3):
                for host in ("a", "b"):
                    network, _, last = lan.address(host).rpartition(".")
                    fresh = f"{network}.{100 + 10 * number + int(last)}"
                    ip("-n", lan.namespace(host), "address", "flush", "dev", "eth0")
                    ip("-n", lan.namespace(host), "address", "add", f"{fresh}/24", "dev", "eth0")
                for traffic in heard:
                    traffic.forget()
                for traffic in heard:
                    await traffic.until_heard(50)
            await caller.hang_up()
            for site in (alice, bob):
                assert (await site.node.event("call_ended"))["status"] == 200
