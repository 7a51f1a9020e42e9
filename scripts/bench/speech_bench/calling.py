"""Calls on a network that loses packets: what was said, and what the far phone played."""

import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.kit.baresip import SAMPLE_RATES, Baresip, Line
from tests.kit.netns import Lan, command_in
from tests.kit.nodes import SIP_PORT, Node, resolves, two_nodes
from tests.kit.process import run
from tests.kit.site import connect
from tests.kit.speech import Samples, read_wav

LOSS = """\
table inet loss {{ }}
delete table inet loss
table inet loss {{
    chain out {{
        type filter hook output priority 0;
        oifname "eth0" meta l4proto udp numgen random mod 1000 < {per_thousand} drop
    }}
}}
"""
Speech = Mapping[int, Path]


@dataclass(frozen=True)
class Heard:
    """What one phone's user said, and what the other one's heard, at the codec's sample rate."""

    rate: int
    said: Samples
    heard: Samples


@dataclass(frozen=True)
class Place:
    """Two hosts on a switch, a node at each."""

    lan: Lan
    nodes: tuple[Node, Node]
    speech: Speech

    def lose(self, percent: float) -> None:
        """Lose that share of the UDP packets on the switch, at random, in each direction."""
        rules = LOSS.format(per_thousand=round(10 * percent))
        for host in ("a", "b"):
            command = command_in(self.lan.namespace(host), ["nft", "-f", "-"])
            subprocess.run(command, input=rules.encode(), check=True, timeout=10)

    async def through_nodes(self, codec: str, seconds: float) -> list[Heard]:
        """Call through the nodes."""
        wav = self.speech[SAMPLE_RATES[codec]]
        alice, bob = self.nodes
        near = Baresip(Line.of(alice), wav, namespace=alice.namespace, codec=codec)
        far = Baresip(Line.of(bob), wav, namespace=bob.namespace, codec=codec)
        return await self._call(near, far, bob.uri, seconds)

    async def directly(self, codec: str, seconds: float) -> list[Heard]:
        """Call from phone to phone on the same network."""
        wav, host = self.speech[SAMPLE_RATES[codec]], self.lan.address("b")
        far = Baresip(
            Line(host, SIP_PORT, "bob", "", host),
            wav,
            namespace=self.lan.namespace("b"),
            codec=codec,
            must_register=False,
            address=host,
        )
        near = Baresip(
            Line(host, SIP_PORT, "alice", "", host),
            wav,
            namespace=self.lan.namespace("a"),
            codec=codec,
            must_register=False,
            address=self.lan.address("a"),
        )
        return await self._call(near, far, "", seconds)

    async def _call(self, near: Baresip, far: Baresip, uri: str, seconds: float) -> list[Heard]:
        async with far:
            if not uri:
                near.line = Line(far.address, far.sip_port, "alice", "", far.address)
            async with near:
                await connect(near, far, uri or f"sip:bob@{far.address}:{far.sip_port}")
                await run(["sleep", str(seconds)], timeout=seconds + 10)
                await near.hang_up()
                await far.event("CALL_CLOSED")
                return [self._heard(near), self._heard(far)]

    @staticmethod
    def _heard(phone: Baresip) -> Heard:
        rate, said = read_wav(phone.speech)
        _, heard = read_wav(phone.recordings()[-1])
        return Heard(rate, said, heard)


@asynccontextmanager
async def place(speech: Speech) -> AsyncIterator[Place]:
    """Start the nodes, and let each know the other."""
    async with AsyncExitStack() as stack:
        lan = stack.enter_context(Lan("a", "b"))
        alice, bob = await stack.enter_async_context(two_nodes(lan))
        await resolves(alice, bob)
        await bob.knows(alice.uri)
        yield Place(lan, (alice, bob), speech)
