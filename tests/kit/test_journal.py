"""The kit waits for what a program says."""

import asyncio

import pytest

from tests.kit.journal import Journal, NotSeenError


async def test_an_event_is_handed_out_once() -> None:
    journal = Journal("node", "event")
    journal.append({"event": "a", "n": 1})
    journal.append({"event": "a", "n": 2})
    assert [(await journal.wait("a"))["n"] for _ in range(2)] == [1, 2]
    with pytest.raises(NotSeenError, match="no"):
        await journal.wait("a", timeout=0.01)


async def test_a_wait_ends_as_soon_as_the_event_comes() -> None:
    journal = Journal("node", "event")
    asyncio.get_running_loop().call_soon(journal.append, {"event": "b", "call": "7"})
    assert (await journal.wait("a", "b", call="7"))["call"] == "7"


async def test_what_is_forgotten_does_not_count() -> None:
    journal = Journal("node", "event")
    journal.append({"event": "a"})
    assert journal.has("a")
    journal.forget()
    assert not journal.has("a")
