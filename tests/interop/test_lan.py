"""Two nodes on a switch, with nothing configured: no bootstrap, no router, no Internet."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.kit.capture import Capture, is_run_of, last_caller
from tests.kit.netns import Lan
from tests.kit.nodes import DataDirectory, Node, resolves
from tests.kit.packets import kind_of_datagram
from tests.kit.site import Site, answer, ended, ring, secured

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.asyncio(loop_scope="module")]


QUIET_SECONDS = 0.5
MDNS_PORT = 5353


@dataclass(frozen=True)
class Strangers:
    """Alice and Bob, who have never met, and the wire between them."""

    alice: Site
    bob: Site
    mesh: Capture

    async def connects(self, start: int, *, timeout: float) -> None:
        """Wait until the nodes begin to connect their media, looking from the packet `start` on."""
        ports = {self.alice.node.mesh[1], self.bob.node.mesh[1], MDNS_PORT}
        await self.mesh.until(
            lambda: any(
                packet.protocol == "udp" and kind_of_datagram(packet, ports) in ("stun", "dtls")
                for packet in self.mesh.packets[start:]
            ),
            "ICE or DTLS",
            timeout=timeout,
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strangers(voices: Mapping[str, Mapping[int, Path]]) -> AsyncIterator[Strangers]:
    """Start both at the same time."""
    async with AsyncExitStack() as stack:
        lan = stack.enter_context(Lan("a", "b"))
        sites = []
        for name, host in (("alice", "a"), ("bob", "b")):
            folder = stack.enter_context(DataDirectory(name))
            node = Node(name, folder, namespace=lan.namespace(host), listen="", sip="", lan=True)
            loopback = await stack.enter_async_context(Capture("lo", lan.namespace(host)))
            sites.append(Site(node, loopback, voices[name]))
        alice, bob = sites
        async with asyncio.TaskGroup() as group:
            for site in sites:
                group.create_task(stack.enter_async_context(site.node))
        mesh = await stack.enter_async_context(Capture("eth0", lan.namespace("a")))
        yield Strangers(alice, bob, mesh)


async def test_both_names_resolve_within_two_seconds_of_the_start(strangers: Strangers) -> None:
    alice, bob = strangers.alice, strangers.bob
    async with asyncio.TaskGroup() as group:
        group.create_task(resolves(alice.node, bob.node, timeout=2))
        group.create_task(resolves(bob.node, alice.node, timeout=2))


async def test_strangers_become_acquainted_by_their_first_call(strangers: Strangers) -> None:
    alice, bob = strangers.alice, strangers.bob
    async with alice.phone() as near, bob.phone() as far:
        for trust, words in (("new", "new person"), ("pinned", "same key")):
            near_rtp, far_rtp = alice.traffic(near), bob.traffic(far)
            start = len(strangers.mesh.packets)
            await ring(near, far, bob.node.uri)
            if trust == "new":  # no address is told to a stranger before somebody picks up
                with pytest.raises(TimeoutError):
                    await strangers.connects(start, timeout=QUIET_SECONDS)
            else:  # so that the first word is heard
                await strangers.connects(start, timeout=5)
            await answer(near, far)
            assert (await secured(alice.node, bob.node))["trust"] == trust
            await near_rtp.until_heard(25)
            await far_rtp.until_heard(25)
            await near.hang_up()
            await far.event("CALL_CLOSED")
            await ended(alice.node, bob.node)
            assert is_run_of(near_rtp.heard(), far_rtp.spoken())
            assert is_run_of(far_rtp.heard(), near_rtp.spoken())
            assert words in last_caller(bob.loopback, far.sip_port)
    found = await alice.node.lookup(bob.node.uri)
    assert [claim["trust"] for claim in found.json["claims"]] == ["pinned"]
