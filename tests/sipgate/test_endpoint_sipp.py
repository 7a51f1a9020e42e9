"""sipp's own user agents against our transactions: its callers call us, and we call its callees."""

import asyncio
from pathlib import Path

import pytest

from sipgate.endpoint import Endpoint
from sipgate.protocol.dialog import Dialog
from sipgate.protocol.message import reply
from sipgate.server_transaction import ServerTransaction
from sipgate.transport import Hop, TransportName
from tests.kit.netns import free_ports
from tests.kit.process import Program, run
from tests.sipgate.parties import LOCAL, silent
from tests.sipgate.samples import request

pytestmark = pytest.mark.interop
CALLS = 50


async def answer(transaction: ServerTransaction) -> None:
    if transaction.request.method == "INVITE":
        await transaction.respond(reply(transaction.request, 180, tag="b"))
        response = reply(transaction.request, 200, tag="b")
        response.headers.add("Contact", f"<sip:bob@{LOCAL}>")
        await transaction.respond(response)
        await transaction.acked
    else:
        await transaction.respond(reply(transaction.request, 200, tag="b"))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_sipp_calls_us(transport: TransportName, tmp_path: Path) -> None:
    async with Endpoint(on_request=answer) as endpoint:
        listen = endpoint.listen_udp if transport == "udp" else endpoint.listen_tcp
        port = await listen(LOCAL, 0)
        (own,) = free_ports(None, step=2)
        argv = ["sipp", f"{LOCAL}:{port}", "-sn", "uac", "-i", LOCAL, "-p", str(own), "-nostdin"]
        argv += ["-m", str(CALLS), "-r", "100", "-d", "20", "-timeout", "20s", "-timeout_error"]
        argv += ["-t", "u1" if transport == "udp" else "t1"]
        outcome = await run(argv, cwd=tmp_path, timeout=30)
        assert outcome.code == 0, outcome.stdout[-2000:]
        assert endpoint.counters.malformed == 0
        assert endpoint.transaction_counters.stray_acks == 0


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_we_call_sipp(transport: TransportName, tmp_path: Path) -> None:
    (port,) = free_ports(None, step=2)
    argv = ["sipp", "-sn", "uas", "-i", LOCAL, "-p", str(port), "-nostdin"]
    argv += ["-t", "u1" if transport == "udp" else "t1"]
    program = await Program.start(argv, cwd=tmp_path)
    try:
        async with Endpoint(on_request=silent) as endpoint:
            await endpoint.listen_udp(LOCAL, 0)
            hop = Hop(transport, LOCAL, port)
            async with asyncio.timeout(20):
                while not await _call(endpoint, hop, "first"):  # noqa: ASYNC110 - no event tells when it listens
                    await asyncio.sleep(0.05)
                async with asyncio.TaskGroup() as calls:
                    for number in range(10):
                        calls.create_task(_succeed(endpoint, hop, f"call-{number}"))
    finally:
        await program.kill()


async def _succeed(endpoint: Endpoint, hop: Hop, call_id: str) -> None:
    assert await _call(endpoint, hop, call_id)


async def _call(endpoint: Endpoint, hop: Hop, call_id: str) -> bool:
    """Call and hang up; False when nobody is there."""
    invite = request("INVITE", branch=None, call_id=call_id)
    transaction = endpoint.request(invite, hop)
    statuses = []
    async for response in transaction.responses():
        statuses.append(response.status)
        if transaction.failure == "transport":
            return False
        if response.status >= 200:
            dialog = Dialog.as_uac(invite, response)
            await endpoint.send_ack(dialog.make_ack(invite), hop)
            bye = endpoint.request(dialog.make_request("BYE"), hop)
            assert (await bye.final()).status == 200
            break
    assert statuses == [180, 200]
    return True
