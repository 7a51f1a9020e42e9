"""Two nodes on a switch, with nothing configured: no bootstrap, no router, no Internet."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from tests.kit.capture import Capture, is_run_of, last_caller
from tests.kit.netns import Lan
from tests.kit.nodes import DataDirectory, Node, resolves
from tests.kit.site import Site, connect, ended, secured

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strangers(voices: Mapping[str, Mapping[int, Path]]) -> AsyncIterator[tuple[Site, Site]]:
    """Start Alice and Bob, who have never met, at the same time."""
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
        yield alice, bob


async def test_both_names_resolve_within_two_seconds_of_the_start(strangers: tuple[Site, Site]) -> None:
    alice, bob = strangers
    async with asyncio.TaskGroup() as group:
        group.create_task(resolves(alice.node, bob.node, timeout=2))
        group.create_task(resolves(bob.node, alice.node, timeout=2))


async def test_strangers_become_acquainted_by_their_first_call(strangers: tuple[Site, Site]) -> None:
    alice, bob = strangers
    async with alice.phone() as near, bob.phone() as far:
        for trust, words in (("new", "new person"), ("pinned", "same key")):
            near_rtp, far_rtp = alice.traffic(near), bob.traffic(far)
            await connect(near, far, bob.node.uri)
            assert (await secured(alice.node, bob.node))["trust"] == trust
            await near_rtp.until_heard(25)
            await far_rtp.until_heard(25)
            await near.hang_up()
            await far.event("CALL_CLOSED")
            await ended(alice.node, bob.node)
            assert is_run_of(near_rtp.heard(), far_rtp.spoken())
            assert is_run_of(far_rtp.heard(), near_rtp.spoken())
            assert words in last_caller(bob.loopback, far.sip_port)
    answer = await alice.node.lookup(bob.node.uri)
    assert [claim["trust"] for claim in answer.json["claims"]] == ["pinned"]
