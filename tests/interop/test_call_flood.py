"""Ten thousand calls from a thousand fresh keys in an hour: three rings, and contacts always get through."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from freecall.store import FileStore
from tests.kit.flood import Caller, Line, line_to
from tests.kit.nodes import DataDirectory, Node
from tests.kit.sip_phone import SipPhone
from trust.pins import Pins

pytestmark = [pytest.mark.interop, pytest.mark.asyncio]
NETWORKS = 10
RINGS = 3


async def refuse_all(phone: SipPhone, rung: list[str]) -> None:
    """Let the phone be busy, and keep who called."""
    while True:
        call = await phone.incoming.get()
        assert call.invite is not None
        rung.append(call.invite.from_.uri.user or "")
        await call.say(486)


async def flood(line: Line, strangers: list[Caller], count: int, uri: str) -> set[int]:
    """Call by turns; return what the strangers heard."""
    return {await line.call(strangers[number % len(strangers)], uri) for number in range(count)}


async def withstand(keys: int, calls: int) -> None:
    """Let `keys` strangers place `calls` calls, while a contact calls all the time, whose name others use too."""
    contact = await Caller.make("carol")
    strangers = [await Caller.make(f"s{number}") for number in range(keys)]
    strangers += [Caller.forge(contact) for _ in range(NETWORKS)]
    async with AsyncExitStack() as stack:
        data = stack.enter_context(DataDirectory("bob"))
        pins = Pins(FileStore(data / "pins.json"))
        pins.pin(
            contact.user.uri, contact.fingerprint, contact.user.openpgp_key, 1.0, contact.node_public_key
        )
        bob = await stack.enter_async_context(Node("bob", data))
        secret = (data / "test-sip-secret").read_text().strip()
        phone = await stack.enter_async_context(SipPhone("bob", bob.phones[1], secret=secret))
        assert (await phone.register()).status == 200
        lines = [
            await stack.enter_async_context(line_to(bob, f"127.{number}.0.1"))
            for number in range(1, NETWORKS + 1)
        ]
        rung: list[str] = []
        async with asyncio.TaskGroup() as group:
            answering = group.create_task(refuse_all(phone, rung))
            share = calls // NETWORKS
            floods = [
                group.create_task(flood(line, strangers[n::NETWORKS], share, bob.uri))
                for n, line in enumerate(lines)
            ]
            own = await stack.enter_async_context(line_to(bob, "127.0.0.1"))
            times = 0
            while not times or not all(each.done() for each in floods):
                assert await own.call(contact, bob.uri) == 486
                times += 1
            answering.cancel()
        assert own.ringing == times == rung.count("carol")
        assert len(rung) - times == sum(line.ringing for line in lines) == RINGS
        assert set[int]().union(*(each.result() for each in floods)) == {403, 480, 486}
        told = [event["count"] for event in bob.journal.all if event["event"] == "strangers_turned_away"]
        assert told[0] == 1
        assert sum(told) <= calls - RINGS


async def test_a_flood_of_calls_from_fresh_keys_rings_three_times() -> None:
    await withstand(50, 400)


@pytest.mark.long
async def test_so_does_one_of_ten_thousand_from_a_thousand_keys() -> None:
    await withstand(1000, 10_000)
