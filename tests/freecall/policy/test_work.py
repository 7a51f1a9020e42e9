"""Working at other nodes' puzzles."""

import asyncio

from freecall.policy.puzzle import MOST_BITS, Parties, Puzzles
from freecall.policy.work import Worker

US = Parties("sip:bob@mesh", "A" * 40)
PUZZLES = Puzzles(b"s" * 32)


def challenge(bits: int) -> str:
    return PUZZLES.challenge(US, bits, b"salt1234", 0.0)


async def test_what_is_asked_for_is_done() -> None:
    proof = await Worker(US.caller).prove(challenge(12), US.callee, lambda: True)
    assert proof is not None
    assert PUZZLES.accepts(proof, US, 0.0)


async def test_what_is_no_longer_wanted_is_left() -> None:
    assert await Worker(US.caller).prove(challenge(MOST_BITS), US.callee, lambda: False) is None


async def test_for_what_is_no_puzzle_or_no_callee_nothing_is_done() -> None:
    worker = Worker(US.caller)
    assert await worker.prove("Digest", US.callee, lambda: True) is None
    assert await worker.prove(challenge(1), "sip:bob@example.org", lambda: True) is None


async def test_the_node_does_other_things_meanwhile() -> None:
    turns = 0
    wanted = True

    async def live() -> None:
        nonlocal turns, wanted
        for _ in range(20):
            await asyncio.sleep(0)
            turns += 1
        wanted = False

    async with asyncio.TaskGroup() as group:
        group.create_task(live())
        assert await Worker(US.caller).prove(challenge(MOST_BITS), US.callee, lambda: wanted) is None
    assert turns == 20
