"""Letters that wait, on disk: one file each, still sealed. And which were delivered, so that none comes twice."""

import base64
import json
import logging
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from .letter_states import State
from .store import FileStore

logger = logging.getLogger(__name__)

Box = Literal["in", "out"]
ID_BYTES = 16
SENDER_BYTES = 8


class BoxFull(Exception):
    """There is no room for another letter; the text is a sentence."""


@dataclass(frozen=True)
class Quota:
    """How much waits at most, in each of the two boxes; strangers get a quarter of it together."""

    letters: int = 1000
    letters_per_person: int = 100
    size: int = 8 * 1024 * 1024
    size_per_person: int = 1024 * 1024
    strangers_share: float = 0.25


@dataclass(frozen=True)
class Kept:
    """A letter that waits.

    ``peer`` and ``fingerprint`` are the other person: who wrote it (``in``) or whom it is for (``out``). ``sealed`` is
    empty when there is nothing more to send; ``key`` is the writer's public key, for the answer. Dates are in Unix
    seconds. ``quiet`` letters are nothing that a person wrote: nobody is told about them. ``problem`` says why it was
    refused.
    """

    id: str
    box: Box
    peer: str
    fingerprint: str
    written_at: float
    expires_at: float
    sealed: bytes = b""
    key: bytes = b""
    state: State = State.WAITING
    known: bool = True
    quiet: bool = False
    problem: str = ""

    def __bytes__(self) -> bytes:
        sealed, key = (base64.b64encode(data).decode() for data in (self.sealed, self.key))
        fields = {**asdict(self), "state": self.state.value, "sealed": sealed, "key": key}
        return json.dumps(fields, sort_keys=True).encode() + b"\n"

    @classmethod
    def parse(cls, raw: bytes) -> "Kept":
        """Read what `bytes()` writes; raise ValueError, KeyError or TypeError when it is something else."""
        fields: dict[str, Any] = json.loads(raw)
        sealed, key = (base64.b64decode(fields[name], validate=True) for name in ("sealed", "key"))
        return cls(**{**fields, "state": State(fields["state"]), "sealed": sealed, "key": key})


class LetterBox:
    """All letters that wait here. Each change is on disk before the method returns."""

    def __init__(self, folder: Path, quota: Quota | None = None) -> None:
        self._folder = folder
        self._quota = quota or Quota()
        self._letters: dict[tuple[Box, str], Kept] = {}
        folder.mkdir(mode=0o700, exist_ok=True)
        for leftover in folder.glob(".*.new"):
            leftover.unlink()
        for path in sorted(folder.glob("*.letter")):
            try:
                kept = Kept.parse(path.read_bytes())
            except (ValueError, KeyError, TypeError):
                logger.warning("a letter that waited is damaged and stays where it is: %s", path.name)
                continue
            self._letters[kept.box, kept.id] = kept

    def get(self, box: Box, letter: str) -> Kept | None:
        """Return a letter that waits."""
        return self._letters.get((box, letter))

    def all(self, box: Box) -> list[Kept]:
        """Return what waits in a box, oldest first."""
        return sorted(
            (kept for kept in self._letters.values() if kept.box == box), key=lambda k: k.written_at
        )

    def add(self, kept: Kept) -> None:
        """Keep a letter.

        Raises:
            BoxFull: too many wait already, in all, of one person, or of strangers.
        """
        for quota, mine in self._shares(kept):
            if len(mine) >= quota[0] or sum(len(each.sealed) for each in mine) + len(kept.sealed) > quota[1]:
                raise BoxFull(f"{len(mine)} messages wait already, and there is no room for more.")
        self.replace(kept)

    def replace(self, kept: Kept) -> None:
        """Write the new state of a letter; one that is gone leaves the disk."""
        if kept.state is State.GONE:
            self.drop(kept)
            return
        self._file(kept).save(bytes(kept))
        self._letters[kept.box, kept.id] = kept

    def change(self, kept: Kept, **changes: Any) -> Kept:
        """Replace some fields of a letter; return its new form."""
        changed = replace(kept, **changes)
        self.replace(changed)
        return changed

    def drop(self, kept: Kept) -> None:
        """Forget a letter."""
        self._file(kept).path.unlink(missing_ok=True)
        self._letters.pop((kept.box, kept.id), None)

    def _file(self, kept: Kept) -> FileStore:
        return FileStore(self._folder / f"{kept.box}-{kept.id}.letter")

    def _shares(self, kept: Kept) -> Iterator[tuple[tuple[int, int], list[Kept]]]:
        """Yield each share that the letter counts in: (letters, bytes) allowed, and the letters there now."""
        quota = self._quota
        here = self.all(kept.box)
        yield (quota.letters, quota.size), here
        same = [each for each in here if each.fingerprint == kept.fingerprint]
        yield (quota.letters_per_person, quota.size_per_person), same
        if not kept.known:
            share = quota.strangers_share
            strangers = [each for each in here if not each.known]
            yield (int(quota.letters * share), int(quota.size * share)), strangers


class Delivered:
    """The ids of letters that were delivered here. Bounded: who wrote most loses the oldest first."""

    def __init__(self, store: FileStore, limit: int = 4096) -> None:
        self._store = store
        self._limit = limit
        self._writers: OrderedDict[bytes, bytes] = OrderedDict()
        raw = store.load() or b""
        size = ID_BYTES + SENDER_BYTES
        for start in range(0, len(raw) - size + 1, size):
            self._writers[raw[start : start + ID_BYTES]] = raw[start + ID_BYTES : start + size]

    def __contains__(self, letter: str) -> bool:
        return bytes.fromhex(letter) in self._writers

    def __len__(self) -> int:
        return len(self._writers)

    def add(self, letter: str, fingerprint: str) -> None:
        """Note that a letter was delivered; it is on disk before the method returns."""
        self._writers[bytes.fromhex(letter)] = bytes.fromhex(fingerprint)[:SENDER_BYTES]
        if len(self._writers) > self._limit:
            ((most, _),) = Counter(self._writers.values()).most_common(1)
            oldest = next(id_ for id_, writer in self._writers.items() if writer == most)
            del self._writers[oldest]
        self._store.save(b"".join(id_ + writer for id_, writer in self._writers.items()))
