"""Noise at the ports: nothing raises, nothing grows, and the next phone is served."""

import asyncio
import gc
import logging
import random
import sys

import pytest

from sipgate.endpoint import Endpoint
from sipgate.protocol.message import reply
from sipgate.protocol.transaction_room import TransactionLimits
from sipgate.server_transaction import ServerTransaction
from tests.sipgate.parties import LOCAL, RawPhone
from tests.sipgate.samples import request

DATAGRAMS = 10_000
SAMPLES = 20
A_LEAK = 15_000
"""Blocks of memory: a few hundred transactions, of several thousand that begin in half of the time."""
LIMITS = TransactionLimits(servers=256, servers_per_source=128)
METHODS = ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "MESSAGE", "XYZZY")
PIECES = (
    b"\r\n",
    b"\r\n\r\n",
    b";",
    b"<",
    b'"',
    b":",
    b"\0",
    b"\xff",
    b"SIP/2.0",
    b"Via",
    b",",
    b"%",
    b"9" * 40,
    b"[::1]",
)


def noise(chance: random.Random, number: int) -> bytes:
    """A valid message, a mutated one, or bytes."""
    if chance.random() < 0.1:
        return chance.randbytes(chance.randint(1, 1400))
    message = request(
        chance.choice(METHODS),
        branch=f"z9hG4bK-{number % 3000}",
        call_id=str(number % 500),
        to_tag=chance.choice((None, "b")),
        number=chance.randint(1, 3),
    )
    data = bytearray(
        bytes(message) if chance.random() < 0.8 else bytes(reply(message, chance.randint(100, 699)))
    )
    for _ in range(chance.choice((0, 1, 1, 2, 5, 20))):
        at = chance.randrange(len(data))
        if chance.random() < 0.5:
            data[at] = chance.randrange(256)
        else:
            data[at : at + chance.randint(0, 8)] = chance.choice(PIECES)
    return bytes(data)


async def serve(transaction: ServerTransaction) -> None:
    status = 486 if transaction.request.method == "INVITE" else 200
    await transaction.respond(reply(transaction.request, status, tag="b"))


async def test_ten_thousand_datagrams_leave_no_trace(caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(3261)
    loop = asyncio.get_running_loop()
    errors: list[object] = []
    loop.set_exception_handler(lambda _, context: errors.append(context))
    async with Endpoint(on_request=serve, limits=LIMITS) as endpoint:
        port = await endpoint.listen_udp(LOCAL, 0)
        with RawPhone(port) as noisy, RawPhone(port) as phone:

            async def still_answers(number: int) -> None:
                phone.send(request("OPTIONS", branch=f"z9hG4bK-p{number}", call_id=f"p{number}"))
                response = await phone.response(200)
                assert response.call_id == f"p{number}"

            blocks: list[int] = []
            for number in range(DATAGRAMS):
                noisy.send(noise(chance, number))
                if number % 50 == 49:
                    await still_answers(number)
                if number % (DATAGRAMS // SAMPLES) == 0:
                    gc.collect()  # what is only garbage is not kept
                    blocks.append(sys.getallocatedblocks())
        assert endpoint.transactions <= LIMITS.servers
        assert endpoint.counters.malformed > 1000
    # Stopped timers are dropped in heaps, so memory goes up and down: its peaks are what must not rise.
    assert max(blocks[SAMPLES // 2 :]) - max(blocks[: SAMPLES // 2]) < A_LEAK
    assert not errors
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_noise_on_streams_ends_those_streams_only() -> None:
    chance = random.Random(5626)
    async with Endpoint(on_request=serve, limits=LIMITS) as endpoint:
        port = await endpoint.listen_tcp(LOCAL, 0)
        for number in range(200):
            _, writer = await asyncio.open_connection(LOCAL, port)
            for _ in range(5):
                writer.write(noise(chance, number))
            writer.close()
        reader, writer = await asyncio.open_connection(LOCAL, port)
        writer.write(bytes(request("OPTIONS", branch="z9hG4bK-phone", call_id="phone", transport="TCP")))
        async with asyncio.timeout(5):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"SIP/2.0 200 ")
        writer.close()
        await writer.wait_closed()
