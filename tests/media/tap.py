"""A wire between two nodes that can be listened to and cut: every mesh datagram passes through it."""

import asyncio
import os
import re
import socket
from collections.abc import Callable
from typing import Any

from .call_pair import LOOPBACK, Pair

_CANDIDATE = re.compile(rb"(a=candidate:\S+ 1 udp \d+ )127\.0\.0\.1 (\d+) ")


class _End(asyncio.DatagramProtocol):
    """Stands for one node: what comes here goes on to it, from the other end's socket."""

    transport: asyncio.DatagramTransport

    def __init__(self, tap: "Tap", name: str) -> None:
        self._tap = tap
        self._name = name
        self.real: tuple[str, int] | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, _addr: tuple[Any, ...]) -> None:
        self._tap.carry(self._name, data)


class Tap:
    """Two sockets between caller and callee. `wire` holds (who it was sent to, datagram)."""

    def __init__(self) -> None:
        self.wire: list[tuple[str, bytes]] = []
        self.is_closed = False
        self.drops: Callable[[str, bytes], bool] = lambda _to, _data: False
        self._ends: dict[str, _End] = {}

    async def open(self) -> "Tap":
        loop = asyncio.get_running_loop()
        for name in ("caller", "callee"):
            _, end = await loop.create_datagram_endpoint(
                lambda name=name: _End(self, name),  # type: ignore[misc]
                local_addr=(LOOPBACK, 0),
            )
            self._ends[name] = end
        return self

    def rewrite(self, owner: str, sdp: bytes) -> bytes:
        """Put ourselves in place of the owner's address."""
        end = self._ends[owner]
        for match in _CANDIDATE.finditer(sdp):
            end.real = (LOOPBACK, int(match[2]))
        port = end.transport.get_extra_info("sockname")[1]
        return _CANDIDATE.sub(rb"\g<1>127.0.0.1 %d " % port, sdp)

    def carry(self, to: str, data: bytes) -> None:
        self.wire.append((to, data))
        other = self._ends["caller" if to == "callee" else "callee"]
        real = self._ends[to].real
        if real is not None and not self.drops(to, data):
            other.transport.sendto(data, real)

    def inject(self, to: str, data: bytes) -> None:
        """Send a datagram to a node from where its peer is."""
        other, real = self._ends["caller" if to == "callee" else "callee"], self._ends[to].real
        assert real is not None
        descriptor = os.dup(other.transport.get_extra_info("socket").fileno())
        with socket.socket(fileno=descriptor) as raw:  # asyncio's sendto leaves empty datagrams out
            raw.sendto(data, real)

    def srtp(self) -> list[bytes]:
        """Return the RTP and RTCP datagrams on the wire, encrypted or not."""
        return [data for _, data in self.wire if 127 < data[0] < 192]

    def close(self) -> None:
        self.is_closed = True
        for end in self._ends.values():
            end.transport.close()


async def connect(pair: Pair, tap: Tap) -> None:
    """Set the call up through the tap, while it rings, then answer."""
    offer = await pair.caller.media.offer_from_phone(pair.caller.phone.sdp())
    pair.callee.phone.listen_to(await pair.callee.media.offer_from_mesh(tap.rewrite("caller", offer)))
    fragment = pair.callee.media.transport_fragment()
    assert fragment is not None
    await pair.caller.media.transport_from_mesh(tap.rewrite("callee", fragment))
    answer = await pair.callee.media.answer_from_phone(pair.callee.phone.sdp())
    pair.caller.phone.listen_to(await pair.caller.media.answer_from_mesh(tap.rewrite("callee", answer)))
