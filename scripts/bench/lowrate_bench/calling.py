"""Calls on a poor line, through two nodes and from phone to phone."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from tests.kit import baresip
from tests.kit.baresip import Baresip
from tests.kit.capture import Capture
from tests.kit.journal import Event, Journal
from tests.kit.netns import free_ports
from tests.kit.nodes import ROOT, SIP_PORT, Node, resolves, two_nodes
from tests.kit.process import Program, run
from tests.kit.wire import Line, Wire

from .bill import Bill, Side, Window
from .talker import Options

POOR = Line(delay_seconds=0.15, loss=0.05, kilobits_per_second=64)
"""150 ms each way: the harder reading of "150 ms"."""

LONGEST_BARESIP_MS = 60
OPUS = ("opus_bitrate 20000", "opus_cbr yes")
PATIENCE = 60.0
HOSTS = ("a", "b")


@dataclass(frozen=True)
class Call:
    """A call that stands: both hosts, whether both ends still take it for a call, how often it was dialled."""

    sides: tuple[Side, Side]
    is_up: Callable[[], bool]
    dials: int


@dataclass(frozen=True)
class Outcome:
    """What a call has cost: from a to b and from b to a.

    `setting_up` counts all bytes of both hosts before the window. `up_seconds` is how long sound came at both ends,
    `longest_silence` the longest pause between two packets at either, in seconds.
    """

    bills: tuple[Bill, Bill]
    setting_up: int
    up_seconds: float
    longest_silence: float
    dials: int


async def watch(call: Call, seconds: float) -> Outcome:
    """Let them talk that long; then count."""
    begin = datetime.now(UTC).timestamp()
    await run(["sleep", str(seconds)], timeout=seconds + 30)
    window, before = Window(begin, begin + seconds), Window(0, begin)
    a, b = call.sides
    heard = [[begin, *(packet.at for packet in side.heard(window))] for side in call.sides]
    return Outcome(
        bills=(Bill.of(a, b, window), Bill.of(b, a, window)),
        setting_up=sum(packet.size for side in call.sides for packet in side.sent(before)),
        up_seconds=min(max(times) for times in heard) - begin if call.is_up() else 0.0,
        longest_silence=max(later - at for times in heard for at, later in pairwise(times)),
        dials=call.dials,
    )


@asynccontextmanager
async def through_nodes(ptime_ms: int, speech: Path) -> AsyncIterator[Call]:
    """Two nodes on the poor line, a phone beside each, in a call that is confirmed and heard at both ends."""
    async with AsyncExitStack() as stack:
        wire = stack.enter_context(Wire(POOR))
        wires, phones = await _captures(stack, wire, "eth0"), await _captures(stack, wire, "lo")
        alice, bob = nodes = await stack.enter_async_context(two_nodes(wire))
        await resolves(alice, bob, timeout=PATIENCE)
        await bob.knows(alice.uri)
        begin = _baresips if ptime_ms <= LONGEST_BARESIP_MS else _talkers
        its = await begin(stack, alice, bob, ptime_ms, speech)
        for node in nodes:
            secured = await node.event("call_secured", timeout=PATIENCE)
            assert secured["signed"] is True, secured
            await node.event("call_hearing", timeout=PATIENCE, they_hear_you="yes", you_hear_them="yes")
        sides = [
            Side(wire.address(host), outside, inside, "127.0.0.1", own)
            for host, outside, inside, own in zip(HOSTS, wires, phones, its.ports, strict=True)
        ]
        ends = len(_ends(nodes))
        yield Call(
            (sides[0], sides[1]),
            lambda: its.is_up() and len(_ends(nodes)) == ends,
            its.dials,
        )


@asynccontextmanager
async def directly(ptime_ms: int, speech: Path) -> AsyncIterator[Call]:
    """Two phones on a poor line of their own, in a call without nodes."""
    async with AsyncExitStack() as stack:
        wire = stack.enter_context(Wire(POOR))
        wires = await _captures(stack, wire, "eth0")
        begin = _direct_baresips if ptime_ms <= LONGEST_BARESIP_MS else _direct_talkers
        its = await begin(stack, wire, ptime_ms, speech)
        addresses = [wire.address(host) for host in HOSTS]
        sides = [
            Side(at, seen, seen, at, own) for at, seen, own in zip(addresses, wires, its.ports, strict=True)
        ]
        yield Call((sides[0], sides[1]), its.is_up, its.dials)


def _ends(nodes: Sequence[Node]) -> list[Event]:
    """Return the calls that have ended, those that never stood too."""
    return [event for node in nodes for event in node.journal.all if event["event"] == "call_ended"]


@dataclass(frozen=True)
class Phones:
    """The RTP and RTCP ports of both, whether both are in the call, how often they had to dial."""

    ports: list[range]
    is_up: Callable[[], bool]
    dials: int = 1


async def _captures(stack: AsyncExitStack, wire: Wire, interface: str) -> list[Capture]:
    return [await stack.enter_async_context(Capture(interface, wire.namespace(host))) for host in HOSTS]


async def _baresips(stack: AsyncExitStack, alice: Node, bob: Node, ptime_ms: int, speech: Path) -> Phones:
    near, far = [
        await stack.enter_async_context(
            Baresip(
                baresip.Line.of(node),
                speech,
                namespace=node.namespace,
                codec="opus",
                ptime_ms=ptime_ms,
                settings=OPUS,
            )
        )
        for node in (alice, bob)
    ]
    return await _connected(near, far, bob.uri)


async def _direct_baresips(stack: AsyncExitStack, wire: Wire, ptime_ms: int, speech: Path) -> Phones:
    def phone(host: str, name: str, server_port: int) -> Baresip:
        server = wire.address("b")
        return Baresip(
            baresip.Line(server, server_port, name, "", server),
            speech,
            namespace=wire.namespace(host),
            codec="opus",
            must_register=False,
            address=wire.address(host),
            ptime_ms=ptime_ms,
            settings=OPUS,
        )

    far = await stack.enter_async_context(phone("b", "bob", SIP_PORT))
    near = await stack.enter_async_context(phone("a", "alice", far.sip_port))
    return await _connected(near, far, f"sip:bob@{far.address}:{far.sip_port}")


async def _connected(near: Baresip, far: Baresip, uri: str) -> Phones:
    dials = 0
    while True:
        dials += 1
        await near.dial(uri)
        news = await near.event("CALL_RINGING", "CALL_PROGRESS", "CALL_CLOSED", timeout=PATIENCE)
        if news["type"] != "CALL_CLOSED":
            break
        print(f"call {dials} failed: {news.get('param')}", file=sys.stderr)
    await far.event("CALL_INCOMING")
    await far.accept()
    for phone in (far, near):
        await phone.event("CALL_ESTABLISHED", timeout=PATIENCE)
    return Phones(
        [near.rtp_ports, far.rtp_ports],
        lambda: not any(phone.journal.has("CALL_CLOSED") for phone in (near, far)),
        dials,
    )


async def _talker(stack: AsyncExitStack, namespace: str | None, options: Options) -> Journal:
    journal = Journal(f"talker {options.user}", "type")
    program = await Program.start(
        options.command(),
        namespace=namespace,
        cwd=ROOT,
        on_line=lambda word: journal.append({"type": word}),
    )
    stack.push_async_callback(program.kill)
    return journal


async def _talkers(stack: AsyncExitStack, alice: Node, bob: Node, ptime_ms: int, _speech: Path) -> Phones:
    journals, ports = [], []
    for node, calls in ((bob, ""), (alice, bob.uri)):
        (port,) = free_ports(node.namespace, step=2)
        account, (host, server) = node.account, node.phones
        options = Options(host, port, ptime_ms, account["username"], account["secret"], server, calls)
        journals.append(await _talker(stack, node.namespace, options))
        ports.append(range(port, port + 2))
        await journals[-1].wait("ready")
    for journal in journals:
        await journal.wait("talking", timeout=PATIENCE)
    dials = 1 + sum(event["type"] == "refused" for event in journals[1].all)
    return Phones(ports[::-1], lambda: not any(journal.has("ended") for journal in journals), dials)


async def _direct_talkers(stack: AsyncExitStack, wire: Wire, ptime_ms: int, _speech: Path) -> Phones:
    ports = [free_ports(wire.namespace(host), step=2)[0] for host in HOSTS]
    for index, host in enumerate(HOSTS):
        to = f"{wire.address(HOSTS[1 - index])}:{ports[1 - index]}"
        options = Options(wire.address(host), ports[index], ptime_ms, direct_to=to)
        journal = await _talker(stack, wire.namespace(host), options)
        await journal.wait("talking")
    return Phones([range(port, port + 2) for port in ports], lambda: True)


async def both(ptime_ms: int, speech: Path, seconds: float) -> tuple[Outcome, Outcome]:
    """Measure through nodes and directly, at the same time, each on a line of its own."""
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(through_nodes(ptime_ms, speech))
        direct = await stack.enter_async_context(directly(ptime_ms, speech))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(watch(call, seconds)) for call in (ours, direct)]
        return tasks[0].result(), tasks[1].result()
