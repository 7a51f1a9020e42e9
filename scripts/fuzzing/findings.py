"""What should not have come out of a parser: kept with the input that brought it, each kind once."""

import hashlib
import traceback
from collections import Counter
from pathlib import Path

from .parser import Subject


class Findings:
    """Counts exceptions by type and place, and writes the first input of each, and its traceback, into ``folder``."""

    def __init__(self, folder: Path | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self._folder = folder

    def feed(self, subject: Subject, data: bytes) -> None:
        """Give an input to a subject; whatever it raises is noted."""
        try:
            subject.take(data)
        except Exception as error:  # noqa: BLE001 - to see every one of them is what a fuzzer is for
            self.note(error, data)

    def note(self, error: BaseException, data: bytes) -> None:
        """Keep an exception."""
        last = traceback.extract_tb(error.__traceback__)[-1:]
        kind = (
            f"{type(error).__name__} at {Path(last[0].filename).name}:{last[0].lineno}"
            if last
            else repr(error)
        )
        self.counts[kind] += 1
        if self.counts[kind] == 1 and self._folder is not None:
            name = hashlib.sha256(data).hexdigest()[:16]
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / name).write_bytes(data)
            (self._folder / f"{name}.txt").write_text("".join(traceback.format_exception(error)))
