import asyncio
import socket

import pytest

from sipgate.protocol.errors import SipError
from sipgate.transport import Address, Flow, TransportError
from sipgate.udp import UdpSocket
from tests.sipgate.parties import LOCAL


class Listener:
    """Keeps what a socket tells."""

    def __init__(self) -> None:
        self.data: asyncio.Queue[tuple[bytes, Flow]] = asyncio.Queue()
        self.gone: asyncio.Queue[Address] = asyncio.Queue()

    def data_received(self, data: bytes, flow: Flow) -> None:
        self.data.put_nowait((data, flow))

    def malformed_received(self, error: SipError, flow: Flow) -> None:
        raise AssertionError(error, flow)

    def flow_closed(self, flow: Flow) -> None:
        raise AssertionError(flow)

    def unreachable(self, remote: Address) -> None:
        self.gone.put_nowait(remote)


async def test_keep_alives_are_not_messages() -> None:
    listener = Listener()
    sock = await UdpSocket.open(LOCAL, 0, listener)
    with socket.socket(type=socket.SOCK_DGRAM) as phone:
        for data in (b"\r\n\r\n", b"\0", b"", b"\0\0\0\0", b"x"):
            phone.sendto(data, sock.local)
        data, flow = await listener.data.get()
        assert data == b"x"
        assert flow.remote[0] == LOCAL
        assert flow == sock.flow(flow.remote)
    sock.close()
    await sock.closed()
    assert flow.is_closed
    with pytest.raises(TransportError):
        flow.send(b"x")


async def test_the_address_that_refuses_is_told_and_the_others_still_get_theirs() -> None:
    listener, other = Listener(), Listener()
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind((LOCAL, 0))
        nobody: Address = taken.getsockname()
    sock = await UdpSocket.open(LOCAL, 0, listener)
    there = await UdpSocket.open(LOCAL, 0, other)
    for _ in range(3):
        sock.send(b"x", nobody)
    async with asyncio.timeout(2):
        assert await listener.gone.get() == nobody
    sock.send(b"y", there.local)
    async with asyncio.timeout(2):
        data, _ = await other.data.get()
    assert data == b"y"
    for one in (sock, there):
        one.close()
        await one.closed()


async def test_a_message_that_fits_no_datagram_is_refused() -> None:
    sock = await UdpSocket.open(LOCAL, 0, Listener())
    with pytest.raises(TransportError):
        sock.send(bytes(65_530), (LOCAL, 9))
    sock.close()
    await sock.closed()


async def test_a_port_that_is_taken_is_an_os_error() -> None:
    sock = await UdpSocket.open(LOCAL, 0, Listener())
    with pytest.raises(OSError, match="in use"):
        await UdpSocket.open(LOCAL, sock.local[1], Listener())
    sock.close()
    await sock.closed()
