"""Connections that are slow, silent, greedy or no SIP at all."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from sipgate.endpoint import Endpoint
from sipgate.protocol.message import Response, parse_message
from sipgate.tls import client_context
from sipgate.transport import Hop, TransportLimits
from tests.sipgate.parties import LOCAL, Answering, Pair, pair, silent, until
from tests.sipgate.samples import request

QUICK = TransportLimits(
    handshake_timeout=0.2, first_message_timeout=0.2, message_timeout=0.2, idle_timeout=0.6, connections=6,
    connections_per_address=3,
)  # fmt: skip
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connection(port: int, context: ssl.SSLContext | None = None) -> AsyncIterator[Streams]:
    name = "" if context else None
    reader, writer = await asyncio.open_connection(LOCAL, port, ssl=context, server_hostname=name)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def ended(reader: asyncio.StreamReader, within: float = 2.0) -> bytes:
    """Read to the end of a connection that the other side closes."""
    data = b""
    async with asyncio.timeout(within):
        with suppress(ConnectionError):
            while piece := await reader.read(65_536):
                data += piece
    return data


def options(number: int = 1) -> bytes:
    return bytes(
        request("OPTIONS", branch=f"z9hG4bK-{number}", call_id=str(number), transport="TCP", sent_by=LOCAL)
    )


def tcp_port(joined: Pair) -> int:
    return joined.hops["tcp"].port


async def test_messages_may_come_in_pieces_and_together() -> None:
    async with pair() as joined, connection(tcp_port(joined)) as (reader, writer):
        data = options(1) + options(2)
        for piece in (data[:7], data[7:300], data[300:]):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        for _ in range(2):
            response = parse_message(await reader.readuntil(b"\r\n\r\n"))
            assert isinstance(response, Response)
            assert response.status == 200


async def test_a_ping_is_answered_with_a_pong() -> None:
    async with pair() as joined, connection(tcp_port(joined)) as (reader, writer):
        writer.write(b"\r\n\r\n")
        async with asyncio.timeout(2):
            assert await reader.readexactly(2) == b"\r\n"


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"INVITE sip:b@mesh SIP/2.0\r\nContent-Length: 99999999\r\n\r\n",
        b"x" * 70_000,
    ],
)
async def test_what_is_no_sip_or_too_long_ends_the_connection(garbage: bytes) -> None:
    async with pair() as joined, connection(tcp_port(joined)) as (reader, writer):
        writer.write(garbage)
        assert await ended(reader) == b""
        assert joined.b.counters.malformed == 1


@pytest.mark.parametrize("sent", [b"", b"\r", b"INVITE sip:bob@mesh SIP/2.0\r\n"])
async def test_a_connection_that_brings_no_message_is_closed(sent: bytes) -> None:
    async with pair(limits=QUICK) as joined, connection(tcp_port(joined)) as (reader, writer):
        writer.write(sent)
        assert await ended(reader) == b""


async def test_a_message_that_drips_in_is_not_waited_for() -> None:
    async with pair(limits=QUICK) as joined, connection(tcp_port(joined)) as (reader, writer):
        writer.write(options(1))
        await reader.readuntil(b"\r\n\r\n")
        start = asyncio.get_running_loop().time()
        for byte in options(2):
            writer.write(bytes([byte]))
            await asyncio.sleep(0.01)
            if writer.is_closing() or reader.at_eof():
                break
        assert 0.15 < asyncio.get_running_loop().time() - start < 0.5


async def test_an_idle_connection_is_closed_and_pongs_do_not_keep_it() -> None:
    async with pair(limits=QUICK) as joined, connection(tcp_port(joined)) as (reader, writer):
        writer.write(options(1) + b"\r\n")
        await reader.readuntil(b"\r\n\r\n")
        start = asyncio.get_running_loop().time()
        assert await ended(reader) == b""
        assert asyncio.get_running_loop().time() - start > 0.5


async def test_who_says_nothing_in_the_handshake_loses_the_place() -> None:
    async with pair(limits=QUICK) as joined, connection(joined.hops["tls"].port) as (reader, _):
        assert await ended(reader) == b""
        await until(lambda: joined.b.connection_counters.failed_handshakes == 1)
        assert (
            await joined.a.request(request("OPTIONS", branch=None), joined.hops["tls"]).final()
        ).status == 200


async def test_plain_sip_on_the_tls_port_gets_no_answer() -> None:
    async with pair() as joined, connection(joined.hops["tls"].port) as (reader, writer):
        writer.write(options())
        assert b"SIP/2.0" not in await ended(reader)
        assert joined.serving.seen == []


async def test_older_tls_is_not_spoken() -> None:
    context = client_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with pair() as joined:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection(LOCAL, joined.hops["tls"].port, ssl=context, server_hostname="")


async def test_one_address_has_a_bounded_number_of_connections() -> None:
    async with pair(limits=replace(QUICK, first_message_timeout=30)) as joined:
        async with connection(tcp_port(joined)), connection(tcp_port(joined)), connection(tcp_port(joined)):
            await until(lambda: joined.b.connection_counters.accepted == 3)
            async with connection(tcp_port(joined)) as (reader, _):
                assert await ended(reader) == b""
            assert joined.b.connection_counters.refused == 1
        await until(lambda: len(joined.b._flows.connections) == 0)
        async with connection(tcp_port(joined)) as (reader, writer):
            writer.write(options())
            assert await reader.readuntil(b"\r\n\r\n")


async def test_all_addresses_together_have_a_bounded_number_of_connections() -> None:
    limits = replace(QUICK, connections=2, first_message_timeout=30)
    async with (
        pair(limits=limits) as joined,
        connection(tcp_port(joined)),
        connection(tcp_port(joined)),
        connection(tcp_port(joined)) as (reader, _),
    ):
        assert await ended(reader) == b""


async def test_who_does_not_read_is_cut_off() -> None:
    limits = TransportLimits(write_buffer_bytes=20_000)
    async with pair(limits=limits) as joined, connection(tcp_port(joined)) as (_, writer):
        writer.write(options(0))
        await until(lambda: len(joined.serving.seen) == 1)
        flow = joined.serving.seen[0].flow
        stream = flow._stream  # type: ignore[attr-defined]
        stream.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        for number in range(1, 50_000):
            writer.write(options(number))
            if number % 200 == 0:
                await asyncio.sleep(0)
            if flow.is_closed:
                break
        await until(lambda: flow.is_closed)


async def test_a_connection_to_a_node_is_kept_alive_and_given_up_without_pongs() -> None:
    limits = TransportLimits(ping_interval=0.1, pong_timeout=0.2)
    async with pair() as joined, Endpoint(on_request=silent, transport_limits=limits) as a:
        transaction = a.request(request("OPTIONS", branch=None), joined.hops["tls"])
        await transaction.final()
        flow = transaction.flow
        assert flow is not None
        await asyncio.sleep(0.5)
        assert not flow.is_closed
        served = joined.serving.seen[0].flow
        served._stream.pause_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(2):
            await flow.closed()


async def test_only_who_was_reached_by_its_key_and_heard_lately_counts_as_connected() -> None:
    limits = TransportLimits(lately=0.2)
    async with pair() as joined, Endpoint(on_request=silent, transport_limits=limits) as a:
        key = joined.hops["tls"].node_public_key
        assert key is not None
        assert not a.is_connected(key)
        transaction = a.request(request("OPTIONS", branch=None), joined.hops["tls"])
        await transaction.final()
        assert a.is_connected(key)
        assert not a.is_connected(bytes(32))
        assert not joined.b.is_connected(key), "who comes has shown no key"
        await until(lambda: not a.is_connected(key))
        assert transaction.flow is not None
        assert not transaction.flow.is_closed
        await a.request(request("OPTIONS", branch=None, number=2), joined.hops["tls"]).final()
        assert a.is_connected(key)
        a.pass_over(joined.hops["tls"])
        assert not a.is_connected(key)


async def test_a_server_that_never_finishes_the_handshake_is_given_up() -> None:
    with socket.create_server((LOCAL, 0)) as server:  # the kernel accepts, and that is all
        port = server.getsockname()[1]
        async with Endpoint(
            on_request=Answering(), transport_limits=TransportLimits(connect_timeout=0.3)
        ) as endpoint:
            transaction = endpoint.request(
                request("OPTIONS", branch=None), Hop("tls", LOCAL, port, bytes(32))
            )
            async with asyncio.timeout(2):
                assert (await transaction.final()).status == 503
            assert transaction.failure == "transport"
