"""Events on standard output: nobody who reads it holds up the node."""

import asyncio
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from typing import TextIO

import pytest

from freecall.events import QUEUE_LENGTH, Event
from freecall.narrate import json_printer
from freecall.terminal import PAUSE_SECONDS, LineWriter, Terminal

PIPE_BYTES = 4096
PADDING = "x" * 100


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """Return the end to read of a small pipe, and the end to write."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    with os.fdopen(writing, "w", encoding="utf-8") as output, os.fdopen(reading, "rb"):
        yield reading, output


def printing(output: TextIO, on_gone: Callable[[], object] = lambda: None) -> Terminal:
    write = LineWriter(output)
    return Terminal(json_printer(write), write.flush, on_gone)


def event(number: int) -> Event:
    return Event("ring", 12.5, {"number": number, "padding": PADDING})


def lines(data: bytes) -> list[bytes]:
    return data.split(b"\n")[:-1]


def read(end: int, count: int) -> bytes:
    data = b""
    while data.count(b"\n") < count:
        data += os.read(end, PIPE_BYTES)
    return data


async def test_events_come_out_in_order_and_the_last_ones_before_the_end(pipe: tuple[int, TextIO]) -> None:
    end, output = pipe
    with printing(output) as terminal:
        for number in range(5):
            terminal(event(number))
    assert lines(read(end, 5)) == [event(number).json().encode() for number in range(5)]


async def test_who_does_not_read_holds_up_nothing_and_loses_the_latest(pipe: tuple[int, TextIO]) -> None:
    end, output = pipe
    with printing(output) as terminal:
        for number in range(3 * QUEUE_LENGTH):
            terminal(event(number))
        found = lines(await asyncio.to_thread(read, end, QUEUE_LENGTH))
        assert found == [event(number).json().encode() for number in range(len(found))]
        terminal(event(-1))
        rest = b""
        while not rest.endswith(event(-1).json().encode() + b"\n"):
            rest += await asyncio.to_thread(os.read, end, PIPE_BYTES)
        assert len(found) + len(lines(rest)) < 2 * QUEUE_LENGTH


async def test_a_reader_that_goes_is_told_once(pipe: tuple[int, TextIO]) -> None:
    end, output = pipe
    gone = threading.Event()
    with printing(output, gone.set) as terminal:
        os.dup2(os.open(os.devnull, os.O_RDONLY), end)  # the last end to read is closed
        terminal(event(1))
        assert await asyncio.to_thread(gone.wait, 5)
        terminal(event(2))


async def test_a_full_disk_is_told_once_and_events_go_on_when_there_is_room(
    pipe: tuple[int, TextIO], caplog: pytest.LogCaptureFixture
) -> None:
    end, output = pipe
    good, full = os.dup(output.fileno()), os.open("/dev/full", os.O_WRONLY)
    try:
        os.dup2(full, output.fileno())
        with printing(output) as terminal:
            terminal(event(1))
            terminal(event(2))
        os.dup2(good, output.fileno())
        with printing(output) as terminal:
            terminal(event(3))
    finally:
        os.close(good)
        os.close(full)
    assert lines(read(end, 1)) == [event(3).json().encode()]
    assert [record.message for record in caplog.records] == [
        "events cannot be printed: No space left on device"
    ]


async def test_what_is_dropped_leaves_nothing_behind(pipe: tuple[int, TextIO]) -> None:
    end, output = pipe
    with printing(output) as terminal:
        for number in range(QUEUE_LENGTH):
            terminal(event(number))
        terminal._hand_over()
        held = terminal._waiting.qsize()
        for number in range(QUEUE_LENGTH):
            terminal(event(number))
            await asyncio.sleep(PAUSE_SECONDS if number < 3 else 0)
        assert terminal._waiting.qsize() <= held
        await asyncio.to_thread(read, end, QUEUE_LENGTH)
