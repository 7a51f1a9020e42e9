"""The pump by itself and in a call: what passes without Python, what does not, and that nothing passes too long."""

import asyncio
import ctypes
import select
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from media.protocol.quality import MAX_DROPOUT, Reception
from media.pump.engine import Pump, PumpedSocket
from media.sockets import Flow
from tests.media.call_pair import LOOPBACK, Pair, Side, answered_call, rtp, until

TO_ASCII = ctypes.cast(ctypes.CDLL(None).toascii, ctypes.c_void_p).value or 0
TAKEN, REFUSED = 0x80, 0x81
"""libc's toascii stands for libsrtp: of the session 0x80 it makes 0, which is success, of 0x81 it does not."""

SSRC = b"\0\0\0\7"
MAX_SIZE = 1_500


class Ear(asyncio.DatagramProtocol):
    """Keeps what reaches Python."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[bytes, tuple[Any, ...]]] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self.heard.put_nowait((data, addr))


class Bench:
    """A pump's two sockets, a phone that sends to the first, and one that the second sends to."""

    def __init__(self, pump: Pump) -> None:
        self.pump = pump
        self.passed: list[tuple[int, int, int, float]] = []
        self.reception = Reception()
        self.phone, self.listener = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for one in (self.phone, self.listener):
            one.bind((LOOPBACK, 0))
            one.settimeout(2)

    async def open(self) -> "Bench":
        self.arriving, self.ear = await self._socket()
        self.leaving, _ = await self._socket()
        return self

    async def _socket(self) -> tuple[PumpedSocket, Ear]:
        transport, ear = await self.pump.open(Ear, (LOOPBACK, 0))
        assert isinstance(transport, PumpedSocket)
        return transport, ear

    def flow(self, session: int = TAKEN, *, measured: bool = False) -> Flow:
        return Flow(
            ssrc=SSRC,
            source=self.phone.getsockname(),
            out=self.leaving,
            destination=self.listener.getsockname(),
            crypt=TO_ASCII,
            session=session,
            max_size=MAX_SIZE,
            passed=lambda *what: self.passed.append(what),
            reception=self.reception if measured else None,
        )

    def send(self, data: bytes) -> None:
        self.phone.sendto(data, self.arriving.get_extra_info("sockname"))

    async def reported(self) -> bytes:
        async with asyncio.timeout(2):
            return (await self.ear.heard.get())[0]

    def close(self) -> None:
        for one in (self.arriving, self.leaving, self.phone, self.listener):
            one.close()


@pytest.fixture
async def bench(pump: Pump) -> AsyncIterator[Bench]:
    """Return an open bench."""
    made = await Bench(pump).open()
    yield made
    made.close()


async def test_a_datagram_comes_to_python_as_the_loop_would_bring_it(pump: Pump) -> None:
    for host in (LOOPBACK, "::1"):
        brought = []
        for opened in (pump.open, asyncio.get_running_loop().create_datagram_endpoint):
            transport, ear = await opened(Ear, (host, 0))
            with socket.socket(
                socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM
            ) as sender:
                sender.bind((host, 0))
                for data in (b"", b"one", bytes(60_000)):
                    sender.sendto(data, transport.get_extra_info("sockname"))
                    async with asyncio.timeout(2):
                        got, source = await ear.heard.get()
                    brought.append((got == data, source == sender.getsockname()))
            transport.close()
        assert brought == [(True, True)] * 6


async def test_what_passes_is_counted_and_never_seen_by_python(bench: Bench) -> None:
    assert bench.arriving.carry(bench.flow())
    before = monotonic()
    for number in range(10):
        bench.send(rtp(number))
        assert bench.listener.recv(2_048) == rtp(number)
    bench.arriving.look()
    packets, size, unsent, heard_at = bench.passed.pop()
    assert (packets, size, unsent) == (10, 10 * 172, 0)
    assert before <= heard_at <= monotonic()
    bench.arriving.halt()
    assert not bench.passed, "it was told already"
    assert bench.ear.heard.empty()


async def test_what_is_refused_comes_to_python_as_it_came(bench: Bench) -> None:
    assert bench.arriving.carry(bench.flow(REFUSED))
    bench.send(rtp(1))
    assert await bench.reported() == rtp(1)


async def test_nothing_passes_once_a_flow_was_halted(bench: Bench) -> None:
    assert bench.arriving.carry(bench.flow())
    bench.arriving.halt()
    bench.send(rtp(1))
    assert await bench.reported() == rtp(1)


async def test_a_flow_ends_with_the_socket_that_it_goes_out_by(bench: Bench) -> None:
    assert bench.arriving.carry(bench.flow())
    bench.leaving.close()
    again = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # may get the same descriptor
    bench.send(rtp(1))
    assert await bench.reported() == rtp(1)
    assert not bench.arriving.carry(bench.flow()), "there is no socket to go out by"
    again.close()


async def test_what_came_for_a_closed_socket_does_not_reach_the_next_one_of_its_number(bench: Bench) -> None:
    bench.send(b"for the first")
    select.select([bench.pump._reports[0]], [], [], 2)  # reported, and not yet read
    descriptor = bench.arriving.descriptor
    bench.arriving.close()
    transport, ear = await bench.pump.open(Ear, (LOOPBACK, 0))
    bench.phone.sendto(b"for the second", transport.get_extra_info("sockname"))
    async with asyncio.timeout(2):
        assert (await ear.heard.get())[0] == b"for the second"
    assert transport.get_extra_info("socket").fileno() == descriptor
    transport.close()


async def test_no_packet_overtakes_one_that_python_was_given(bench: Bench) -> None:
    assert bench.arriving.carry(bench.flow())
    other = rtp(1, ssrc=8)
    for data in (other, rtp(2), rtp(3)):
        bench.send(data)
    assert [await bench.reported() for _ in range(3)] == [other, rtp(2), rtp(3)]
    assert bench.arriving.carry(bench.flow())
    bench.send(rtp(4))
    assert bench.listener.recv(2_048) == rtp(4)


async def test_a_flow_does_not_begin_before_python_has_seen_what_waits(bench: Bench) -> None:
    bench.send(rtp(1))
    select.select([bench.pump._reports[0]], [], [], 2)  # reported, and not yet read
    assert bench.arriving.carry(bench.flow())
    bench.send(rtp(2))
    assert [await bench.reported() for _ in range(2)] == [rtp(1), rtp(2)]
    assert bench.arriving.carry(bench.flow())
    bench.send(rtp(3))
    assert bench.listener.recv(2_048) == rtp(3)


async def test_a_stranger_at_the_port_does_not_end_a_flow(bench: Bench) -> None:
    assert bench.arriving.carry(bench.flow())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(rtp(1), bench.arriving.get_extra_info("sockname"))
        assert await bench.reported() == rtp(1)
    bench.send(rtp(2))
    assert bench.listener.recv(2_048) == rtp(2)


async def test_what_python_does_not_take_is_bounded_and_counted(bench: Bench) -> None:
    assert bench.arriving.carry(bench.flow())
    for _ in range(3_000):
        bench.send(b"\0" + bytes(1_000))  # and Python does not run meanwhile
    await until(lambda: bench.ear.heard.qsize() > 0)
    bench.send(rtp(1))
    assert bench.listener.recv(2_048) == rtp(1)
    bench.arriving.look()
    taken = bench.ear.heard.qsize() + bench.passed[-1][2]
    assert 0 < bench.passed[-1][2] <= 3_000 >= taken


async def test_there_are_threads_while_there_are_sockets_and_none_after(pump: Pump) -> None:
    def threads() -> int:
        return len(list(Path("/proc/self/task").iterdir()))

    before = threads()
    opened = [(await pump.open(Ear, (LOOPBACK, 0)))[0] for _ in range(5)]
    assert threads() == before + 2
    for one in opened:
        one.close()
        one.close()
    assert threads() == before


def is_usual(data: bytes) -> bool:
    """Tell by the words of RFC 3550 and 5761 whether that is RTP of our SSRC, of a size that passes."""
    return (
        12 <= len(data) <= MAX_SIZE and data[0] >> 6 == 2 and not 192 <= data[1] <= 223 and data[8:12] == SSRC
    )


DATAGRAMS = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda first, second, rest: bytes([first, second]) + rest,
        st.sampled_from([0x80, 0x90, 0xBF, 0x7F, 0xC0, 0x10]),
        st.integers(0, 255),
        st.builds(lambda body: bytes(6) + SSRC + body, st.binary(max_size=20)),
    ),
    st.integers(1_480, 1_520).map(lambda size: rtp(1, bytes(size - 12))),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=DATAGRAMS)
async def test_each_datagram_passes_or_comes_to_python_by_the_rule(pump: Pump, data: bytes) -> None:
    bench = await Bench(pump).open()
    try:
        assert bench.arriving.carry(bench.flow())
        bench.send(data)
        if is_usual(data):
            assert bench.listener.recv(2_048) == data
        else:
            assert await bench.reported() == data
    finally:
        bench.close()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(first=st.integers(0, 0xFFFF), steps=st.lists(st.integers(-50, 3_100), max_size=40))
async def test_loss_and_order_are_counted_as_in_python(pump: Pump, first: int, steps: list[int]) -> None:
    bench, mirror, number = await Bench(pump).open(), Reception(), first
    try:
        for one in (bench.reception, mirror):
            one.receive(rtp(first), 0.0)
        assert bench.arriving.carry(bench.flow(measured=True))
        for step in steps:
            packet = rtp(number := number + step)
            jump = (number - mirror.standing()[0]) % 65_536
            bench.send(packet)
            if min(jump, 65_536 - jump) < MAX_DROPOUT:
                assert bench.listener.recv(2_048) == packet
            else:
                assert await bench.reported() == packet, "where a new count begins is Python's"
                bench.arriving.halt()
                bench.reception.receive(packet, 0.0)
                assert bench.arriving.carry(bench.flow(measured=True))
            mirror.receive(packet, 0.0)
        bench.arriving.halt()
        for figure in ("received", "reordered", "expected", "lost"):
            assert getattr(bench.reception, figure) == getattr(mirror, figure), figure
    finally:
        bench.close()


async def test_jitter_is_reckoned_as_in_python(bench: Bench) -> None:
    bench.reception.receive(rtp(0), monotonic())
    assert bench.arriving.carry(bench.flow(measured=True))
    mirror = Reception()
    mirror.receive(rtp(0), monotonic())
    for number in range(1, 30):
        await asyncio.sleep(0.002 * (number % 3))  # what comes at other times than the timestamps say
        bench.send(rtp(number))
        bench.listener.recv(2_048)
        mirror.receive(rtp(number), monotonic())
    bench.arriving.halt()
    assert bench.reception.jitter_ms == pytest.approx(mirror.jitter_ms, rel=0.2)


async def _speak(one: Side, other: Side, numbers: range) -> None:
    for number in numbers:
        packet = struct.pack("!BBHII", 0x80, 0, number, number * 160, 7) + bytes(160)
        one.phone.send(packet)
        await other.phone.hears(packet)


async def _speak_both_ways(pair: Pair, numbers: range) -> None:
    await _speak(pair.caller, pair.callee, numbers)
    await _speak(pair.callee, pair.caller, numbers)


async def test_in_a_call_only_the_first_packet_goes_through_python(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answered_call() as pair:
        await _speak_both_ways(pair, range(1, 5))
        seen: list[bytes] = []
        deliver = PumpedSocket.deliver

        def noted(self: PumpedSocket, data: bytes, source: tuple[Any, ...]) -> None:
            if data and data[0] >> 6 == 2:
                seen.append(data)
            deliver(self, data, source)

        monkeypatch.setattr(PumpedSocket, "deliver", noted)
        await _speak_both_ways(pair, range(5, 100))
        assert not seen
        for side in (pair.caller, pair.callee):
            figures = side.media.statistics()
            assert figures.to_mesh.packets == figures.to_phone.packets == 99
            assert figures.drops == {}


async def test_a_gate_that_closes_lets_no_packet_through_that_the_pump_carried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with answered_call() as pair:
        await _speak_both_ways(pair, range(1, 5))
        pair.caller.media._assurance.gate.close()
        pair.caller.phone.send(rtp(9))
        pair.callee.phone.send(rtp(9))
        await until(lambda: len(pair.caller.media.statistics().drops) == 2)
        assert pair.caller.media.statistics().drops == {"muted_to_mesh": 1, "muted_to_phone": 1}
        assert pair.caller.phone.heard.empty()
        assert pair.callee.phone.heard.empty()
