"""A machine between two networks behind routers of their own, in a call with one on the Internet; all of it moves."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.kit.baresip import Baresip
from tests.kit.capture import Capture, PhoneTraffic
from tests.kit.internet import Internet, Router
from tests.kit.nodes import DataDirectory, Node, resolves
from tests.kit.site import Site, connect, secured

MOVER, STAYER = "alice", "bob"
BYSTANDERS = ("first", "carl", "dora")
GATES = {"home": Router.PORT_RESTRICTED, "cafe": Router.SYMMETRIC}
SETTLED_SECONDS = 0.3
SETTLED_PACKETS = 25


class Roaming(Internet):
    """`alice` is at home or in the café, `bob` on the Internet, as are those who keep their records."""

    def __init__(self) -> None:
        super().__init__(*BYSTANDERS, STAYER, *GATES, homes={})

    def build(self) -> None:
        """Make the Internet, and a cable from each router to the machine between them."""
        super().build()
        self.make(MOVER)
        for number, (gate, router) in enumerate(GATES.items(), start=1):
            self.forward(gate)
            self.cable(gate, "lan", MOVER, gate)
            self.configure(gate, "lan", f"192.168.{number}.1")
            self.translate(gate, router)
        self.go(next(iter(GATES)))

    def go(self, to: str) -> None:
        """Leave the network where the machine is, for another: the old address is gone, and so is the way out."""
        for gate in GATES:
            self.in_the_machine("address", "flush", "dev", gate)
        number = list(GATES).index(to) + 1
        self.configure(MOVER, to, f"192.168.{number}.2", gateway=f"192.168.{number}.1")

    def in_the_machine(self, *arguments: str) -> None:
        """Run `ip` on the machine that moves."""
        self.run(MOVER, ["ip", *arguments])

    def restart(self, gate: str) -> None:
        """Switch a router off and on: it has forgotten whom it translates, and has another address now."""
        self.run(gate, ["ip", "link", "set", "wan", "down"])
        self.run(gate, ["ip", "link", "set", "wan", "up"])
        self.renumber(gate)


@dataclass
class Talk:
    """A call that stands. `heard` is what the two phones hear, alice's first."""

    net: Roaming
    alice: Site
    bob: Site
    phones: tuple[Baresip, Baresip]
    heard: tuple[PhoneTraffic, PhoneTraffic]
    at: str = "home"

    @property
    def elsewhere(self) -> str:
        """The network where alice is not."""
        return next(gate for gate in GATES if gate != self.at)

    def alice_moves(self) -> None:
        """Alice goes to the other network."""
        self.at = self.elsewhere
        self.net.go(self.at)

    def bob_moves(self) -> None:
        """Bob gets another address."""
        self.net.renumber(STAYER)

    def both_move(self) -> None:
        """Both at once: none knows where the other is."""
        self.alice_moves()
        self.bob_moves()

    def router_forgets(self) -> None:
        """Nobody moves, but alice is seen at another address."""
        self.net.restart(self.at)

    async def settled(self, *, timeout: float = 14.0) -> tuple[float, float]:
        """Wait until both phones hear again; return for how many seconds each has heard nothing, alice's first.

        It is to be called at once after a change, and `begin` before it.
        """
        gaps = [
            await self._settled(site, heard, timeout)
            for site, heard in zip((self.alice, self.bob), self.heard, strict=True)
        ]
        return gaps[0], gaps[1]

    async def _settled(self, site: Site, heard: PhoneTraffic, timeout: float) -> float:
        begun = heard.arrivals()[0]

        def hears_again() -> bool:
            late = [at for at in heard.arrivals() if at > begun + SETTLED_SECONDS]
            return len(late) >= SETTLED_PACKETS

        await site.loopback.until(hears_again, "sound after a change", timeout=timeout)
        return max(later - earlier for earlier, later in pairwise(heard.arrivals()))

    async def begin(self) -> None:
        """Forget what was heard up to now; wait until both phones hear something anew."""
        for heard in self.heard:
            heard.forget()
        async with asyncio.TaskGroup() as group:
            for heard in self.heard:
                group.create_task(heard.until_heard(5))

    def assert_nothing_was_lost(self) -> None:
        """Assert that the call has not ended at either node, and was confirmed once."""
        for site in (self.alice, self.bob):
            assert not site.node.journal.has("call_ended")
            assert not site.node.journal.has("call_secured")


def quantile(values: Sequence[float], part: float) -> float:
    """Return the value that `part` of all are at most."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(part * (len(ordered) - 1)))]


@asynccontextmanager
async def talking(voices: Mapping[str, Mapping[int, Path]]) -> AsyncIterator[Talk]:
    """Let alice call bob from home; yield when the call is signed by both."""
    async with AsyncExitStack() as stack:
        net = stack.enter_context(Roaming())
        nodes: dict[str, Node] = {}
        for name in (*BYSTANDERS, STAYER, MOVER):
            folder = stack.enter_context(DataDirectory(name))
            bootstrap = () if not nodes else (net.mesh_at(BYSTANDERS[0]),)
            nodes[name] = Node(
                name, folder, namespace=net.namespace(name), listen="", sip="", bootstrap=bootstrap
            )
            await stack.enter_async_context(nodes[name])
        alice, bob = [
            Site(
                nodes[name],
                await stack.enter_async_context(Capture("lo", net.namespace(name))),
                voices[name],
            )
            for name in (MOVER, STAYER)
        ]
        await resolves(alice.node, bob.node, timeout=10)
        near = await stack.enter_async_context(alice.phone())
        far = await stack.enter_async_context(bob.phone())
        await connect(near, far, bob.node.uri)
        await secured(alice.node, bob.node)
        heard = alice.traffic(near), bob.traffic(far)
        yield Talk(net, alice, bob, (near, far), heard)
