"""The calls of the last weeks: written down, bounded, and gone when they shall be."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freecall.call_record import CallRecord
from freecall.history import DAY, History, HistoryNotErased
from freecall.store import FileStore

NOW = 100 * DAY


def call(number: int = 1, direction: str = "out", trust: str = "pinned", at: float = NOW) -> CallRecord:
    """Return a call that was answered, unless it came from outside."""
    answered = direction == "out"
    peer = f"sip:peer{number}@mesh"
    return CallRecord(
        str(number), direction, peer, at, trust=trust, call_id=f"id-{number}", answered=answered
    )


def files(folder: Path) -> list[Path]:
    """Return what lies in a folder."""
    return list(folder.iterdir())


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., History]:
    """Return what opens the history of a data directory."""

    def opened(*, now: float = NOW, days: int = 30, limit: int = 100) -> History:
        return History(FileStore(tmp_path / "history"), keep_days=days, clock=lambda: now, limit=limit)

    return opened


async def test_it_outlives_the_node(opened: Callable[..., History]) -> None:
    history = opened()
    history.add(call(1))
    history.add(call(2))
    await history.aclose()
    assert opened().calls() == [call(2), call(1)]


async def test_it_is_written_down_while_the_node_runs(opened: Callable[..., History], tmp_path: Path) -> None:
    class Told(FileStore):
        def save(self, data: bytes) -> None:
            super().save(data)
            loop.call_soon_threadsafe(saved.set)

    loop, saved = asyncio.get_running_loop(), asyncio.Event()
    history = History(Told(tmp_path / "history"), keep_days=30, clock=lambda: NOW)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        running = group.create_task(history.run())
        history.add(call())
        await saved.wait()
        running.cancel()
    assert opened().calls() == [call()]


async def test_the_missed_ones_alone_and_the_last_ones(opened: Callable[..., History]) -> None:
    history = opened()
    for number in range(4):
        history.add(replace(call(number, "in"), missed=number % 2 == 0))
    assert [each.call for each in history.calls(missed=True)] == ["2", "0"]
    assert [each.call for each in history.calls(last=3)] == ["3", "2", "1"]


async def test_only_a_call_of_that_peer_that_nobody_answered_is_marked_as_missed(
    opened: Callable[..., History],
) -> None:
    history = opened()
    for record in (call(1), replace(call(1, "in"), answered=True), call(2, "in")):
        history.add(record)
    assert not history.mark_missed("id-1", "sip:peer1@mesh")
    assert not history.mark_missed("id-2", "sip:peer1@mesh")
    assert history.mark_missed("id-2", "sip:peer2@mesh")
    assert not history.mark_missed("id-2", "sip:peer2@mesh"), "once is enough"
    assert [each.call for each in history.calls(missed=True)] == ["2"]


async def test_what_a_call_sounded_like_is_put_to_it(opened: Callable[..., History]) -> None:
    history = opened()
    for number in (1, 2):
        history.add(call(number))
    history.note_sound("1", {"mos": 4.1, "loss": 0.01, "jitter_ms": 2.0, "round_trip_ms": None})
    history.note_sound("gone", {"mos": 1.0})
    assert [each.mos for each in history.calls()] == [None, 4.1]
    await history.aclose()
    assert [each.mos for each in opened().calls()] == [None, 4.1]


async def test_erased_is_gone_from_memory_and_disk(opened: Callable[..., History], tmp_path: Path) -> None:
    history = opened()
    history.add(call())
    await history.aclose()
    assert await history.erase() == 1
    assert history.calls() == []
    assert files(tmp_path) == []
    await history.aclose()
    assert files(tmp_path) == []


async def test_a_slow_write_does_not_bring_back_what_was_erased(
    opened: Callable[..., History], tmp_path: Path
) -> None:
    history = opened()
    history.add(call())
    before = (tuple(history.calls()), history._version)
    await history.erase()
    await asyncio.to_thread(history._write_version, *before)
    assert files(tmp_path) == []


async def test_a_disk_that_refuses_to_erase_is_told(tmp_path: Path) -> None:
    class Refusing(FileStore):
        def remove(self) -> None:
            raise OSError(5, "Input/output error")

    history = History(Refusing(tmp_path / "history"), keep_days=30, clock=lambda: NOW)
    history.add(call())
    with pytest.raises(HistoryNotErased, match=r"Input/output error.*remove .*history"):
        await history.erase()


async def test_a_disk_that_refuses_to_write_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    history = History(FileStore(tmp_path / "missing" / "history"), keep_days=30, clock=lambda: NOW)
    history.add(call())
    await history.aclose()
    assert "cannot be written" in caplog.text
    assert len(history) == 1


async def test_what_is_too_old_leaves_memory_and_disk(opened: Callable[..., History], tmp_path: Path) -> None:
    history = opened()
    history.add(call(1, at=NOW - 29.5 * DAY))
    history.add(call(2))
    await history.aclose()
    tomorrow = opened(now=NOW + DAY)
    assert [each.call for each in tomorrow.calls()] == ["2"]
    await tomorrow.aclose()
    assert b"peer1" not in (tmp_path / "history").read_bytes()
    later = opened(now=NOW + 31 * DAY)
    await later.aclose()
    assert files(tmp_path) == []


async def test_no_days_keep_nothing_and_remove_what_was_kept(
    opened: Callable[..., History], tmp_path: Path
) -> None:
    history = opened()
    history.add(call())
    await history.aclose()
    silent = opened(days=0)
    silent.add(call())
    assert silent.calls() == []
    await silent.aclose()
    assert files(tmp_path) == []


async def test_a_call_dated_in_the_future_is_forgotten_in_time(opened: Callable[..., History]) -> None:
    history = opened(now=NOW + 5000 * DAY)
    history.add(call(at=NOW + 5000 * DAY))
    await history.aclose()
    corrected = opened()
    assert corrected.calls()[0].started_at == NOW
    await corrected.aclose()
    assert opened(now=NOW + 31 * DAY).calls() == []


async def test_the_oldest_go_first_when_there_is_no_room(opened: Callable[..., History]) -> None:
    history = opened(limit=10)
    for number in range(12):
        history.add(call(number))
    assert [each.call for each in history.calls()] == [str(number) for number in range(11, 1, -1)]


async def test_strangers_who_call_without_end_push_nobody_out(opened: Callable[..., History]) -> None:
    history = opened(limit=20)
    for number in range(15):
        history.add(call(number))
    for number in range(1000, 1100):
        history.add(call(number, "in", "new"))
    calls = [int(each.call) for each in history.calls()]
    assert calls == [1099, 1098, 1097, 1096, 1095, *range(14, -1, -1)]


async def test_words_of_the_other_side_are_kept_short(opened: Callable[..., History]) -> None:
    history = opened()
    long = "x" * 100_000
    history.add(replace(call(1, "in"), call_id=long, reason=long, display=long))
    (kept,) = history.calls()
    assert len(bytes(kept)) < 2000
    assert history.mark_missed(long, kept.peer)


async def test_words_that_are_no_text_are_written_as_well(opened: Callable[..., History]) -> None:
    history = opened()
    history.add(replace(call(), reason="\udcff"))
    await history.aclose()
    assert opened().calls()[0].reason == "\udcff"


@pytest.mark.parametrize("line", [b"{}", b"[]", b"\xff", b'{"call": 1', b"nothing"])
async def test_a_line_that_cannot_be_read_costs_that_line_only(
    opened: Callable[..., History], tmp_path: Path, line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    good = bytes(call())
    (tmp_path / "history").write_bytes(line + b"\n" + good)
    history = opened()
    with caplog.at_level(logging.WARNING):
        assert history.calls() == [call()]
    await history.aclose()
    assert (tmp_path / "history").read_bytes() == good
    assert "dropped" in caplog.text


@given(
    st.builds(
        CallRecord,
        call=st.text(),
        direction=st.sampled_from(["in", "out"]),
        peer=st.text(),
        started_at=st.integers(0, 2**40).map(float),
        display=st.text(),
        duration=st.integers(0, 10**6).map(float),
        reason=st.text(),
        missed=st.booleans(),
    )
)
def test_a_record_is_one_line_and_read_as_it_was_written(record: CallRecord) -> None:
    line = bytes(record)
    assert line.splitlines() == [line[:-1]]
    assert CallRecord.parse(line) == record


@pytest.mark.parametrize("moment", ["NaN", "Infinity", '"soon"', "null"])
def test_a_time_that_is_no_number_is_refused(moment: str) -> None:
    with pytest.raises(ValueError, match="no number"):
        CallRecord.parse(f'{{"call":"1","direction":"in","peer":"x","started_at":{moment}}}'.encode())


def test_the_line_of_a_record_is_made_once_and_is_none_of_its_fields() -> None:
    record = CallRecord("1", "in", "sip:bob@mesh", 1_800_000_000.0)
    assert bytes(record) is bytes(record)
    assert set(record.as_json()) == {each.name for each in fields(CallRecord)}
    refused = replace(record, status=486)
    assert CallRecord.parse(bytes(refused)) == refused
