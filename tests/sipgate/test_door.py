"""The doorkeeper of the callee's node, and the work that it may ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sipgate.ports import IncomingCaller, Refusal

from .gateways import Pair, pair


def toll(
    seen: list[IncomingCaller], challenge: str = "Work", right: str = "proof"
) -> Callable[[IncomingCaller], None]:
    """Return a doorkeeper who asks for work."""

    def knock(caller: IncomingCaller) -> None:
        seen.append(caller)
        if caller.proof != right:
            raise Refusal(401, "Work first", challenge=challenge)

    return knock


async def test_who_is_turned_away_at_the_door_costs_no_look_at_their_keys() -> None:
    async with pair() as it:
        seen: list[IncomingCaller] = []

        def knock(caller: IncomingCaller) -> None:
            seen.append(caller)
            raise Refusal(480, "Not now", retry_after=60)

        it.book.door = knock
        call = await it.alice.call("sip:bob@mesh")
        refused = await call.final()
        assert refused.status == 480
        assert 'text="Not now"' in str(refused.headers.get("Reason"))
    assert [(caller.uri, caller.remote_host) for caller in seen] == [("sip:alice@mesh", "127.0.0.1")]
    assert not it.book.admitted
    assert it.b.names() == []


async def test_the_callers_node_does_the_work_and_calls_again() -> None:
    async with pair() as it:
        seen: list[IncomingCaller] = []
        it.book.door = toll(seen)
        call, rung = await it.talking()
        await call.hang_up()
        await rung.ended()
    assert it.book.asked == [("Work", "sip:bob@mesh")]
    assert [caller.proof for caller in seen] == ["", "proof"]
    assert it.a.names() == it.b.names() == ["Started", "Ringing", "Answered", "Ended"]


async def test_work_that_cannot_be_done_or_that_opens_nothing_is_asked_for_once() -> None:
    async with pair() as it:
        for challenge, times in (("Magic", 1), ("Work", 2)):
            seen: list[IncomingCaller] = []
            it.book.door = toll(seen, challenge, right="another")
            call = await it.alice.call("sip:bob@mesh")
            assert (await call.final()).status == 480
            assert len(seen) == times


async def test_a_caller_who_gives_up_works_no_longer() -> None:
    async with pair() as it:
        seen: list[IncomingCaller] = []
        it.book.door = toll(seen)
        await give_up_while_working(it)
        assert len(seen) == 1


async def give_up_while_working(it: Pair) -> None:
    it.book.working = asyncio.Event()
    call = await it.alice.call("sip:bob@mesh")
    await it.book.working.wait()
    await call.cancel()
    assert (await call.final()).status == 487
