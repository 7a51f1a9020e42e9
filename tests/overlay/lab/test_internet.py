"""The Internet in memory: how long datagrams take, and which do not arrive."""

import asyncio
import errno

import pytest

from overlay.lab.dice import dice
from overlay.lab.internet import IP_UDP_HEADERS, Internet, Socket
from overlay.lab.nat import Nat, NatKind
from overlay.lab.virtual_time import run
from overlay.protocol.endpoint import Endpoint

A, B = Endpoint("45.0.0.1", 7350), Endpoint("45.0.1.1", 7350)


class Listener(asyncio.DatagramProtocol):
    """Keeps what arrives, and when."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, bytes, tuple[str, int]]] = []

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Keep it."""
        self.heard.append((asyncio.get_running_loop().time(), data, addr))


def two(internet: Internet, nat: Nat | None = None) -> tuple[Socket, Socket, Listener]:
    """Open two sockets; the first behind ``nat``."""
    listener = Listener()
    inner = Endpoint("10.0.0.1", 7350) if nat else A
    return internet.open(inner, Listener(), nat), internet.open(B, listener), listener


def test_a_datagram_takes_the_time_of_the_distance() -> None:
    async def measure() -> float:
        internet = Internet(dice(1), mean_rtt=0.1)
        hosts = [f"45.0.{n}.1" for n in range(400)]
        delays = [2 * internet.delay(one, other) for one, other in zip(hosts, reversed(hosts), strict=True)]
        return sum(delays) / len(delays)

    assert run(measure()) == pytest.approx(0.1, rel=0.1)


def test_what_is_sent_arrives_once_with_the_senders_address_and_is_counted() -> None:
    async def send() -> None:
        internet = Internet(dice(1))
        one, other, listener = two(internet)
        one.sendto(b"\x98\x01\x00hello", (B.host, B.port))
        await asyncio.sleep(1)
        ((when, data, source),) = listener.heard
        assert (data, source) == (b"\x98\x01\x00hello", (A.host, A.port))
        assert 0 < when < 0.2
        assert one.traffic.sent_bytes == other.traffic.received_bytes == 8 + IP_UDP_HEADERS
        assert (one.traffic.sent, one.traffic.requests, internet.largest) == (1, 1, 8)

    run(send())


@pytest.mark.parametrize("trouble", ["silent", "parted", "closed", "lost"])
def test_what_cannot_arrive_does_not(trouble: str) -> None:
    async def send() -> None:
        internet = Internet(dice(1), loss=1.0 if trouble == "lost" else 0.0)
        one, other, listener = two(internet)
        if trouble == "silent":
            other.silent = True
        elif trouble == "parted":
            other.group = 1
            internet.part()
        elif trouble == "closed":
            other.close()
        one.sendto(b"hello", (B.host, B.port))
        await asyncio.sleep(1)
        assert listener.heard == []

    run(send())


def test_a_healed_network_carries_again_and_a_moved_host_is_reached_at_its_new_address() -> None:
    async def send() -> None:
        internet = Internet(dice(1))
        one, other, listener = two(internet)
        other.group = 1
        internet.part()
        internet.heal()
        internet.move(other, Endpoint("46.0.0.1", 1))
        one.sendto(b"old", (B.host, B.port))
        one.sendto(b"new", ("46.0.0.1", 1))
        await asyncio.sleep(1)
        assert [data for _, data, _ in listener.heard] == [b"new"]

    run(send())


def test_an_address_is_taken_until_its_holder_is_silent_or_closed() -> None:
    async def reopen() -> None:
        internet = Internet(dice(1))
        one, *_ = two(internet)
        with pytest.raises(OSError, match="in use") as refused:
            internet.open(A, Listener())
        assert refused.value.errno == errno.EADDRINUSE
        one.silent = True
        again = internet.open(A, Listener())
        one.close()
        again.close()
        internet.open(A, Listener())

    run(reopen())


def test_behind_a_translator_a_host_is_seen_and_reached_at_its_mapping_only() -> None:
    async def send() -> None:
        internet = Internet(dice(1))
        one, other, listener = two(internet, Nat(NatKind.PORT_RESTRICTED, "45.9.9.9"))
        one.sendto(b"out", (B.host, B.port))
        await asyncio.sleep(1)
        ((_, _, seen),) = listener.heard
        assert seen[0] == "45.9.9.9"
        other.sendto(b"back", seen)
        other.sendto(b"direct", one.address)
        await asyncio.sleep(1)
        assert isinstance(one.protocol, Listener)
        assert [data for _, data, _ in one.protocol.heard] == [b"back"]

    run(send())
