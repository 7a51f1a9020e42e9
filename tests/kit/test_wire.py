"""The cable in user space does to packets what it says."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from tests.kit.capture import Capture
from tests.kit.netns import inside
from tests.kit.packets import Packet
from tests.kit.wire import Line, Wire

pytestmark = pytest.mark.namespaces
PORT = 9
HEADERS = 28
SIZE = 500


@dataclass(frozen=True)
class Ends:
    """A wire, a socket at `a` that sends to `b`, and what leaves and what arrives."""

    wire: Wire
    sender: socket.socket
    left: Capture
    arrived: Capture

    def send(self, numbers: range) -> None:
        for number in numbers:
            data = number.to_bytes(4).ljust(SIZE - HEADERS, b".")
            self.sender.sendto(data, (self.wire.address("b"), PORT))

    async def until_last(self, capture: Capture, number: int) -> None:
        await capture.until(lambda: number in times(capture), f"packet {number}", timeout=30)


@asynccontextmanager
async def ends(line: Line) -> AsyncIterator[Ends]:
    with Wire(line) as wire:
        udp = inside(wire.namespace("a"), lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        with udp:
            async with (
                Capture("eth0", wire.namespace("a")) as left,
                Capture("eth0", wire.namespace("b")) as arrived,
            ):
                here = Ends(wire, udp, left, arrived)
                here.send(range(1))  # lets ARP find the other end
                await here.until_last(arrived, 0)
                yield here


def times(capture: Capture) -> dict[int, float]:
    """Return packet number -> when it was seen."""
    return {_number(packet): packet.at for packet in capture.packets if packet.destination[1] == PORT}


def _number(packet: Packet) -> int:
    return int.from_bytes(packet.payload[:4])


async def test_each_packet_is_delayed_and_the_delay_can_be_changed_meanwhile() -> None:
    async with ends(Line(delay_seconds=0.1)) as here:
        for delay, numbers in ((0.1, range(1, 6)), (0.4, range(6, 11))):
            here.wire.line = Line(delay_seconds=delay)
            here.send(numbers)
            await here.until_last(here.arrived, numbers[-1])
            left, arrived = times(here.left), times(here.arrived)
            took = [arrived[number] - left[number] for number in numbers]
            assert min(took) >= delay - 0.001
            assert min(took) < delay + 0.2
        assert list(times(here.arrived)) == list(range(11))


async def test_the_share_that_is_lost_is_the_share_that_was_asked_for() -> None:
    async with ends(Line()) as here:
        here.wire.line = Line(loss=0.2)
        for first in range(1, 2_001, 100):
            here.send(range(first, first + 100))
            await here.until_last(here.left, first + 99)
        here.send(range(2_001, 2_101))  # in order: when one of these has come, all others were there
        await here.arrived.until(lambda: max(times(here.arrived)) > 2_000, "one of the last")
        assert {*range(1, 2_001)} <= times(here.left).keys()
        assert 300 < 2_000 - sum(1 <= number <= 2_000 for number in times(here.arrived)) < 500


async def test_the_rate_is_kept_and_what_would_wait_too_long_is_dropped() -> None:
    slow = Line(kilobits_per_second=200, queue_seconds=60)
    seconds_each = SIZE * 8 / 200_000
    async with ends(slow) as here:
        here.send(range(1, 51))
        await here.until_last(here.arrived, 50)
        took = times(here.arrived)[50] - times(here.left)[1]
        assert 50 * seconds_each <= took + 0.001
        assert took < 50 * seconds_each + 2
        here.wire.line = replace(slow, queue_seconds=10 * seconds_each)
        here.send(range(51, 151))
        await here.until_last(here.arrived, 60)
        here.wire.line = slow
        here.send(range(151, 152))
        await here.until_last(here.arrived, 151)
        assert 10 <= len([number for number in times(here.arrived) if 50 < number < 151]) < 100


async def test_nothing_passes_a_cable_that_is_cut_and_it_heals() -> None:
    async with ends(Line(delay_seconds=0.05)) as here:
        here.wire.is_cut = True
        here.send(range(1, 4))
        await here.until_last(here.left, 3)
        await asyncio.sleep(0.5)  # that nothing comes has no event
        here.wire.is_cut = False
        here.send(range(4, 5))
        await here.until_last(here.arrived, 4)
        assert set(times(here.arrived)) == {0, 4}
