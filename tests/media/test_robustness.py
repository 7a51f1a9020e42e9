"""Ten thousand hostile datagrams, two hundred calls: no exception, nothing left behind."""

import asyncio
import contextlib
import os
import random
from collections.abc import Iterator

import aioice.stun

from .call_pair import answered_call, call, rtp, sender_report
from .tap import Tap, connect

DATAGRAMS = 10_000
CALLS = 200


def hostile(seed: int, ufrag: str) -> Iterator[bytes]:
    """Yield random datagrams and mutations of real ones."""
    chance = random.Random(seed)
    request = aioice.stun.Message(aioice.stun.Method.BINDING, aioice.stun.Class.REQUEST)
    request.attributes.update(
        {"USERNAME": f"{ufrag}:x", "PRIORITY": 1, "ICE-CONTROLLED": 5, "USE-CANDIDATE": None}
    )
    request.add_message_integrity(b"k" * 22)
    address = aioice.stun.Message(aioice.stun.Method.BINDING, aioice.stun.Class.RESPONSE)
    address.attributes["XOR-MAPPED-ADDRESS"] = ("127.0.0.1", 5)
    address.attributes["ERROR-CODE"] = (400, "Bad")
    samples = [
        bytes(request),
        bytes(address),
        rtp(1),
        sender_report(),
        bytes.fromhex("16fefd0000000000000000003001000024000000000000002400"),
        bytes.fromhex("15fefd00000000000000010002022f"),
    ]
    for number in range(DATAGRAMS):
        if number % 3 == 0:
            yield chance.randbytes(chance.randrange(0, 300))
            continue
        data = bytearray(chance.choice(samples))
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        yield bytes(data[: chance.randrange(1, len(data) + 1)] if number % 3 == 1 else data)


class Faults:
    """Collects what asyncio reports as unhandled."""

    def __init__(self) -> None:
        self.seen: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: self.seen.append(context))


async def test_hostile_datagrams_at_the_ice_port_raise_nothing_and_the_call_goes_on() -> None:
    faults, tap = Faults(), await Tap().open()
    async with call() as pair:
        await connect(pair, tap)
        await pair.secured()
        ufrag = pair.callee.media._sections[0].mesh.ice.local_username
        for data in hostile(1, ufrag):
            tap.inject("callee", data)
            await asyncio.sleep(0)
        pair.caller.phone.send(rtp(77))
        await pair.callee.phone.hears(rtp(77))
        drops = pair.callee.media.statistics().drops
        assert drops["not_media"] > 500
        assert drops["bad_stun"] > 500
        assert drops["mesh_forged"] > 100
        ice = pair.callee.media._sections[0].mesh.ice
        assert len(ice._remote_candidates) < 65
        assert ice._queue.qsize() <= 64
    tap.close()
    assert faults.seen == []


async def test_hostile_datagrams_before_the_handshake_do_not_stop_it() -> None:
    faults, tap = Faults(), await Tap().open()
    async with call() as pair:
        offer = await pair.caller.media.offer_from_phone(pair.caller.phone.sdp())
        offer = tap.rewrite("caller", offer)
        for data in hostile(2, "x"):
            tap.inject("caller", data)
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        pair.callee.phone.listen_to(await pair.callee.media.offer_from_mesh(offer))
        fragment = pair.callee.media.transport_fragment()
        assert fragment is not None
        await pair.caller.media.transport_from_mesh(tap.rewrite("callee", fragment))
        await pair.secured()
    tap.close()
    assert faults.seen == []


async def test_hostile_datagrams_at_the_phone_port_raise_nothing_and_the_call_goes_on() -> None:
    faults = Faults()
    async with answered_call() as pair:
        leg = pair.caller.media._sections[0].phone
        for data in hostile(3, "x"):
            pair.caller.phone.send(data)
            pair.caller.phone.send_rtcp(data)
            await asyncio.sleep(0)
        assert leg.dropped["phone_not_rtp"] > 3_000
        assert leg.dropped["phone_not_rtcp"] > 3_000
        while not pair.callee.phone.heard.empty():
            pair.callee.phone.heard.get_nowait()
        pair.callee.phone.send(rtp(77))
        await pair.caller.phone.hears(rtp(77))
    assert faults.seen == []


async def test_two_hundred_calls_leave_no_port_and_no_task_behind() -> None:
    def sockets() -> int:
        found = 0
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(FileNotFoundError):  # the listing's own descriptor
                found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        return found

    async with answered_call():
        pass
    await asyncio.sleep(0)
    before, tasks = sockets(), asyncio.all_tasks()
    waiting = iter(range(CALLS))

    async def caller() -> None:
        for number in waiting:
            if number % 4 == 0:
                async with call() as pair:  # given up while it rings
                    await pair.ring()
            else:
                async with answered_call(early=number % 2 == 0) as pair:
                    pair.caller.phone.send(rtp(1))
                    await pair.callee.phone.hears(rtp(1))

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(caller())
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() == tasks
    assert sockets() == before
