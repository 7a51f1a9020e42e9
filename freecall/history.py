"""The calls of the last weeks, in one file of the data directory: for the user alone, and gone when they say so."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from .call_record import MAX_TEXT, CallRecord, Sound
from .errors import FreeCallError, reason
from .store import FileStore

logger = logging.getLogger(__name__)

MAX_CALLS = 10_000
STRANGERS_SHARE = 0.25
DAY = 86_400.0
LOOK_EVERY = 3600.0
PAUSE = 1.0
RECENT = 200  # calls: as many as can be in progress at once


class HistoryNotErased(FreeCallError):
    """The disk refuses: what was there is there still."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"The history could not be erased ({why}). Stop the node and remove {where}.")


class History:
    """Calls that are over, the latest last. `run` writes them down and forgets what is older than `keep_days`.

    Zero days keep nothing, in memory neither. Unanswered calls of strangers have a quarter of the room: who calls
    a thousand times pushes nobody out. `clock` gives Unix seconds.
    """

    def __init__(
        self, store: FileStore, *, keep_days: int, clock: Callable[[], float], limit: int = MAX_CALLS
    ) -> None:
        self.keep_days = keep_days
        self._store = store
        self._clock = clock
        self._limit = limit
        self._version = 0
        self._written = 0
        self._writing = threading.Lock()
        self._changed = asyncio.Event()
        self._records = self._load()
        self._forget_old()

    def __len__(self) -> int:
        return len(self._records)

    def calls(self, *, missed: bool = False, last: int | None = None) -> list[CallRecord]:
        """Return the calls, or the missed ones alone, the latest first; at most `last` of them."""
        self._forget_old()
        chosen = [each for each in reversed(self._records) if each.missed or not missed]
        return chosen[:last]

    def add(self, record: CallRecord) -> None:
        """Put down a call that is over."""
        if not self.keep_days:
            return
        self._records.append(record.clipped())
        if record.is_uninvited and len(self._records) > self._limit * STRANGERS_SHARE:
            uninvited = [place for place, each in enumerate(self._records) if each.is_uninvited]
            if len(uninvited) > self._limit * STRANGERS_SHARE:
                del self._records[uninvited[0]]
        del self._records[: -self._limit]
        self._change()

    def mark_missed(self, call_id: str, peer: str) -> bool:
        """Note that the call of `peer` with this Call-ID, which nobody answered, was missed; False if there is none."""
        for place in reversed(range(len(self._records))):
            record = self._records[place]
            same = (record.call_id, record.peer, record.direction) == (
                call_id[:MAX_TEXT],
                peer[:MAX_TEXT],
                "in",
            )
            if same and not record.answered and not record.missed:
                self._records[place] = replace(record, missed=True)
                self._change()
                return True
        return False

    def note_sound(self, call: str, sound: Sound) -> None:
        """Note what the call with this id sounded like, if it is one of the last few."""
        for place in range(len(self._records) - 1, max(-1, len(self._records) - 1 - RECENT), -1):
            if self._records[place].call == call:
                self._records[place] = replace(self._records[place], **sound)
                self._change()
                return

    async def erase(self) -> int:
        """Forget all calls; return how many they were. The file is gone when this returns.

        Raises:
            HistoryNotErased: the file cannot be removed.
        """
        count = len(self._records)
        self._records = []
        self._change()
        try:
            await self._write()
        except OSError as error:
            raise HistoryNotErased(str(self._store.path), reason(error)) from error
        return count

    # -- the file

    async def run(self) -> None:
        """Write down what changes, and forget what has become too old."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._changed.wait()
            self._changed.clear()
            self._forget_old()
            await self._save()
            await asyncio.sleep(PAUSE)

    async def aclose(self) -> None:
        """Write down what is not yet."""
        await self._save()

    async def _save(self) -> None:
        """Write; a disk that refuses is tried again with the next call, or in an hour."""
        try:
            await self._write()
        except OSError as error:
            logger.warning("the history of calls cannot be written: %s", reason(error))

    async def _write(self) -> None:
        if self._version != self._written:
            await asyncio.to_thread(self._write_version, tuple(self._records), self._version)

    def _write_version(self, records: Sequence[CallRecord], version: int) -> None:
        """Runs in a thread. Whatever order threads come in, an older version never replaces a newer one."""
        with self._writing:
            if version <= self._written:
                return
            if records:
                self._store.save(b"".join(bytes(each) for each in records))
            else:
                self._store.remove()
            self._written = version

    def _change(self) -> None:
        self._version += 1
        self._changed.set()

    def _forget_old(self) -> None:
        oldest = self._clock() - self.keep_days * DAY
        kept = [each for each in self._records if self.keep_days and each.started_at >= oldest]
        if len(kept) < len(self._records):
            self._records = kept
            self._change()

    def _load(self) -> list[CallRecord]:
        """Read the file; lines that cannot be read are dropped. A call dated in the future is taken as new."""
        records, now = [], self._clock()
        for line in (self._store.load() or b"").splitlines():
            try:
                record = CallRecord.parse(line)
            except (ValueError, TypeError):
                logger.warning("a line of the history of calls cannot be read and is dropped")
                self._change()
                continue
            if record.started_at > now:
                record = replace(record, started_at=now)
                self._change()
            records.append(record)
        return records
