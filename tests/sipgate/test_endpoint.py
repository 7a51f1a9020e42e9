"""The endpoint on real sockets."""

import asyncio
import contextlib
import gc
import socket
import tracemalloc
from collections.abc import Coroutine
from typing import Any, get_args

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sipgate.client_transaction import ClientTransaction
from sipgate.endpoint import Endpoint
from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Request, Response, parse_message, reply
from sipgate.protocol.transaction_room import TransactionLimits
from sipgate.server_transaction import ServerTransaction
from sipgate.transport import Hop, TransportName
from tests.sipgate.parties import FAST, LOCAL, Answering, RawPhone, pair, silent, until
from tests.sipgate.samples import request

TRANSPORTS: tuple[TransportName, ...] = get_args(TransportName)


def outgoing(method: str, **changes: Any) -> Request:
    return request(method, branch=None, **changes)


async def collect(transaction: ClientTransaction) -> list[int]:
    return [response.status async for response in transaction.responses()]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_request_is_answered_over_each_transport(transport: TransportName) -> None:
    async with pair() as joined:
        transaction = joined.a.request(outgoing("OPTIONS"), joined.hops[transport])
        response = await transaction.final()
        assert (response.status, transaction.failure) == (200, None)
        assert transaction.flow is not None
        assert transaction.flow.transport == transport
        (served,) = joined.serving.seen
        assert served.flow.transport == transport
        assert served.flow.remote == transaction.flow.local
        via = served.request.top_via
        assert (via.transport, via.received, via.rport) == (transport.upper(), LOCAL, served.flow.remote[1])


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_call_is_set_up_and_confirmed_over_each_transport(transport: TransportName) -> None:
    async with pair() as joined:
        hop = joined.hops[transport]
        transaction = joined.a.request(outgoing("INVITE"), hop)
        statuses = []
        async for response in transaction.responses():
            statuses.append(response.status)
            if response.status == 200:
                await joined.a.send_ack(outgoing("ACK", to_tag="b"), hop)
                break
        assert statuses == [180, 200]
        async with asyncio.timeout(5):
            await joined.serving.news.wait()
        assert [ack.cseq.number for ack in joined.serving.acks] == [1]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_refused_call_leaves_no_transaction(transport: TransportName) -> None:
    async with pair(Answering(status=486), timers=FAST) as joined:
        transaction = joined.a.request(outgoing("INVITE"), joined.hops[transport])
        assert await collect(transaction) == [180, 486]
        await until(lambda: not joined.a.transactions and not joined.b.transactions)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_call_is_cancelled_with_a_reason(transport: TransportName) -> None:
    async with pair(Answering(waits=True)) as joined:
        await joined.a.request(outgoing("OPTIONS", call_id="before"), joined.hops[transport]).final()
        transaction = joined.a.request(outgoing("INVITE"), joined.hops[transport])
        await transaction.cancel('SIP;cause=200;text="Call completed elsewhere"', [("X-Extra", "1")])
        response = await transaction.final()
        assert (response.status, transaction.failure) == (487, None)
        assert joined.serving.reasons == ['SIP;cause=200;text="Call completed elsewhere"']
        cancel = joined.serving.seen[1].cancelled.request
        assert cancel is not None
        assert cancel.headers.get("X-Extra") == "1"


async def test_a_2xx_is_repeated_and_each_one_reaches_the_caller() -> None:
    async with pair(timers=FAST) as joined:
        transaction = joined.a.request(outgoing("INVITE"), joined.hops["udp"])
        statuses = await collect(transaction)
        assert statuses.count(200) >= 5
        await joined.serving.news.wait()
        assert joined.serving.unacknowledged == 1


async def test_silence_becomes_408() -> None:
    with RawPhone(9) as phone:
        async with Endpoint(on_request=silent, timers=FAST) as endpoint:
            await endpoint.listen_udp(LOCAL, 0)
            transaction = endpoint.request(outgoing("OPTIONS"), Hop("udp", LOCAL, phone.port))
            response = await transaction.final()
            assert (response.status, transaction.failure) == (408, "timeout")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_port_where_nobody_listens_becomes_503_at_once(transport: TransportName) -> None:
    with socket.socket(type=socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM) as taken:
        taken.bind((LOCAL, 0))
        port = taken.getsockname()[1]
    async with Endpoint(on_request=silent) as endpoint:
        await endpoint.listen_udp(LOCAL, 0)
        transaction = endpoint.request(outgoing("INVITE"), Hop(transport, LOCAL, port))
        async with asyncio.timeout(2):
            response = await transaction.final()
        assert (response.status, transaction.failure) == (503, "transport")
        assert await collect(transaction) == [503]


async def test_a_hop_without_a_socket_for_it_becomes_503() -> None:
    async with Endpoint(on_request=silent) as endpoint:
        for hop in (Hop("udp", LOCAL, 9), Hop("tcp", "phone.example", 5060)):
            assert (await endpoint.request(outgoing("OPTIONS"), hop).final()).status == 503


async def test_another_node_key_fails_closed() -> None:
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    async with pair() as joined:
        hop = Hop("tls", LOCAL, joined.hops["tls"].port, other)
        transaction = joined.a.request(outgoing("INVITE"), hop)
        assert (await transaction.final()).status == 503
        await joined.a.request(outgoing("OPTIONS", number=2), joined.hops["tls"]).final()
        assert [served.request.method for served in joined.serving.seen] == ["OPTIONS"]


async def test_a_cancel_before_there_is_a_connection_ends_the_request_here() -> None:
    async with pair() as joined:
        transaction = joined.a.request(outgoing("INVITE"), joined.hops["tls"])
        await transaction.cancel()
        assert ((await transaction.final()).status, transaction.failure) == (487, "cancelled")
        await joined.a.request(outgoing("OPTIONS"), joined.hops["tls"]).final()
        assert [served.request.method for served in joined.serving.seen] == ["OPTIONS"]


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_requests_to_one_hop_share_a_connection_and_go_back_on_it(transport: TransportName) -> None:
    async with pair() as joined:
        first, second = (
            joined.a.request(outgoing("OPTIONS", number=number, call_id=f"c{number}"), joined.hops[transport])
            for number in (1, 2)
        )
        await first.final()
        await second.final()
        assert first.flow is second.flow
        assert joined.b.connection_counters.accepted == 1
        back = joined.b.request(outgoing("OPTIONS"), joined.serving.seen[0].flow)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await back.final()  # `a` says nothing; but it got the request on the same connection
        assert joined.a.transactions >= 1
        assert joined.b.connection_counters.accepted == 1


async def test_a_broken_connection_fails_what_waits_on_it_at_once() -> None:
    async with pair(Answering(waits=True)) as joined:
        transaction = joined.a.request(outgoing("INVITE"), joined.hops["tcp"])
        async for response in transaction.responses():
            if response.status == 180:
                joined.serving.seen[0].flow._stream.abort()  # type: ignore[attr-defined]
        assert transaction.failure == "transport"
        assert transaction.flow is not None
        assert transaction.flow.is_closed
        await transaction.flow.closed()


async def test_a_response_whose_connection_is_gone_takes_a_new_one() -> None:
    gone = asyncio.Event()

    async def serve(transaction: ServerTransaction) -> None:
        await transaction.flow.closed()
        gone.set()
        await transaction.respond(reply(transaction.request, 200, tag="b"))

    came: asyncio.Queue[bytes] = asyncio.Queue()

    async def phone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.put_nowait(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    listener = await asyncio.start_server(phone, LOCAL, 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, Endpoint(on_request=serve) as endpoint:
        _, writer = await asyncio.open_connection(LOCAL, await endpoint.listen_tcp(LOCAL, 0))
        message = request("OPTIONS", transport="TCP", sent_by=f"{LOCAL}:{port}")
        message.headers.set("Via", f"SIP/2.0/TCP {LOCAL}:{port};branch=z9hG4bK-tcp")
        writer.write(bytes(message))
        await writer.drain()
        writer.close()
        async with asyncio.timeout(5):
            response = parse_message(await came.get())
        assert isinstance(response, Response)
        assert response.status == 200


async def test_without_rport_the_response_goes_to_the_port_in_the_via() -> None:
    async with pair() as joined:
        port = joined.hops["udp"].port
        with RawPhone(port) as asking, RawPhone(port) as listening:
            message = request("OPTIONS")
            message.headers.set("Via", f"SIP/2.0/UDP phone.example:{listening.port};branch=z9hG4bK-1")
            asking.send(message)
            response = await listening.receive()
            assert response.top_via.received == LOCAL
            assert response.top_via.rport is None


async def test_a_malformed_request_is_answered_and_a_malformed_ack_or_response_is_not() -> None:
    async with pair() as joined:
        with RawPhone(joined.hops["udp"].port) as phone:
            for broken in (
                request("ACK", to_tag="b"),
                reply(request("OPTIONS"), 200),
                request("OPTIONS"),
            ):
                broken.headers.set("CSeq", "x")
                phone.send(bytes(broken))
            for method, change in (("ACK", "9"), ("INVITE", "9")):
                broken_length = request(method)
                broken_length.headers.set("Content-Length", change)
                phone.send(broken_length)
            response = await phone.receive()
            assert isinstance(response, Response)
            assert (response.status, response.cseq.method) == (400, "INVITE")
            assert response.to.tag
            assert joined.b.counters.malformed == 5
            assert joined.serving.seen == []


async def test_a_request_whose_handler_fails_gets_500_and_ends_alone() -> None:
    failures: list[str] = []

    async def serve(transaction: ServerTransaction) -> None:
        if transaction.request.method == "MESSAGE":
            raise SipError(415, "No such media")
        if transaction.request.method == "INVITE":
            raise RuntimeError("a bug")
        await transaction.respond(reply(transaction.request, 200))

    def supervise(group: asyncio.TaskGroup, job: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        async def guard() -> None:
            try:
                await job
            except RuntimeError:
                failures.append(name)

        return group.create_task(guard(), name=name)

    async with Endpoint(on_request=serve, supervise=supervise) as b, Endpoint(on_request=silent) as a:
        hop = Hop("tcp", LOCAL, await b.listen_tcp(LOCAL, 0))
        statuses = [
            (await a.request(outgoing(method, call_id=method), hop).final()).status
            for method in ("INVITE", "MESSAGE", "OPTIONS")
        ]
        assert statuses == [500, 415, 200]
    assert failures == ["sip INVITE"]


async def test_without_a_supervisor_a_failing_handler_ends_the_endpoint() -> None:
    async def serve(transaction: ServerTransaction) -> None:
        raise RuntimeError("a bug")

    async def live() -> None:
        async with Endpoint(on_request=serve) as b:
            with RawPhone(await b.listen_udp(LOCAL, 0)) as phone:
                phone.send(request("OPTIONS"))
                await asyncio.sleep(5)

    with pytest.raises(ExceptionGroup) as caught:
        await live()
    assert caught.group_contains(RuntimeError)


async def test_an_error_in_the_body_comes_out_as_it_is() -> None:
    async def live() -> None:
        async with Endpoint(on_request=silent) as endpoint:
            await endpoint.listen_udp(LOCAL, 0)
            raise KeyError

    with pytest.raises(KeyError):
        await live()


async def test_leaving_frees_everything_and_tells_those_who_wait() -> None:
    before = asyncio.all_tasks()
    async with pair(Answering(waits=True)) as joined:
        waiting = [
            joined.a.request(outgoing("INVITE", call_id=transport), joined.hops[transport])
            for transport in TRANSPORTS
        ]
        await until(lambda: len(joined.serving.seen) == 3)
        ports = [hop.port for hop in joined.hops.values()]
        left = joined.a
    for transaction in waiting:
        assert (await transaction.final()).status == 503
    assert (await left.request(outgoing("OPTIONS"), Hop("udp", LOCAL, ports[0])).final()).status == 503
    assert asyncio.all_tasks() == before
    for port in ports[1:]:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(LOCAL, port)
    with socket.socket(type=socket.SOCK_DGRAM) as again:
        again.bind((LOCAL, ports[0]))


async def test_ipv6_works_like_ipv4() -> None:
    serving = Answering()
    async with Endpoint(on_request=serving) as b, Endpoint(on_request=silent) as a:
        await a.listen_udp("::1", 0)
        for hop in (
            Hop("udp", "::1", await b.listen_udp("::1", 0)),
            Hop("tcp", "::1", await b.listen_tcp("::1", 0)),
        ):
            transaction = a.request(outgoing("OPTIONS", call_id=hop.transport), hop)
            assert (await transaction.final()).status == 200
    assert {served.request.top_via.host for served in serving.seen} == {"[::1]"}
    assert {served.request.top_via.received for served in serving.seen} == {"::1"}


async def test_a_socket_on_all_addresses_names_the_one_that_the_other_side_sees() -> None:
    async with pair() as joined, Endpoint(on_request=silent) as a:
        await a.listen_udp("0.0.0.0", 0)
        await a.request(outgoing("OPTIONS"), joined.hops["udp"]).final()
        assert joined.serving.seen[0].request.top_via.host == LOCAL


async def test_overload_is_answered_with_503_and_a_time() -> None:
    async with Endpoint(on_request=silent, limits=TransactionLimits(servers_per_source=1)) as b:
        with RawPhone(await b.listen_udp(LOCAL, 0)) as phone:
            for number in (1, 2):
                phone.send(request("OPTIONS", branch=f"z9hG4bK-{number}", call_id=str(number)))
            response = await phone.response(503)
            assert response.headers.get("Retry-After")


async def test_the_base_values_of_a_transaction_are_those_of_the_rfc() -> None:
    """One run in real time: the retransmissions of an INVITE that nobody answers."""
    with RawPhone(9) as phone:
        async with Endpoint(on_request=silent) as endpoint:
            await endpoint.listen_udp(LOCAL, 0)
            clock = asyncio.get_running_loop().time
            start = clock()
            endpoint.request(outgoing("INVITE"), Hop("udp", LOCAL, phone.port))
            times = []
            for _ in range(3):
                await phone.receive()
                times.append(clock() - start)
    assert times == pytest.approx([0.0, 0.5, 1.5], abs=0.2)


async def test_memory_stays_flat_under_answered_requests() -> None:
    limits = TransactionLimits(servers=64, servers_per_source=64)

    async def burst(phone: RawPhone, numbers: range) -> None:
        for number in numbers:
            phone.send(request("OPTIONS", branch=f"z9hG4bK-{number}", call_id=str(number)))
            await phone.response(200)

    serving = Answering()
    async with Endpoint(on_request=serving, limits=limits) as b:
        with RawPhone(await b.listen_udp(LOCAL, 0)) as phone:
            tracemalloc.start()
            await burst(phone, range(200))
            serving.seen.clear()
            gc.collect()
            before, _ = tracemalloc.get_traced_memory()
            await burst(phone, range(200, 1200))
            serving.seen.clear()
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert b.transactions == 64
    assert after - before < 200_000
