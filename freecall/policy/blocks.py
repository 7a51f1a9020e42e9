"""Keys whose owners shall not reach us, in one file of the data directory."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from freecall.errors import FreeCallError
from freecall.store import FileStore

MAX_BLOCKED = 5000
VERSION = 1
FINGERPRINT = re.compile(r"[0-9A-F]{40}", re.ASCII)


class BlocksFull(FreeCallError):
    """There is a limit."""

    def __init__(self) -> None:
        super().__init__(
            f"{MAX_BLOCKED} people are blocked, more are not kept. Unblock some, or let strangers write only:"
            ' [calls] strangers = "message".'
        )


class BlocksDamaged(FreeCallError):
    """The file cannot be read; whoever was blocked would ring if it were passed over."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"{where} says who is blocked, and cannot be read. Restore it, or remove it to unblock everybody."
        )


@dataclass(frozen=True)
class Blocked:
    """Somebody who is blocked: by the key, whatever they call themselves; `uri` was their name then, or is empty."""

    fingerprint: str
    uri: str
    since: float


class BlockList:
    """Who is blocked. Each change is on disk before the method returns."""

    def __init__(self, store: FileStore) -> None:
        """Load the list; raise `BlocksDamaged`."""
        self._store = store
        raw = store.load()
        try:
            self._blocked = {} if raw is None else _parse(raw)
        except (ValueError, KeyError, TypeError) as error:
            raise BlocksDamaged(str(store.path)) from error

    def __contains__(self, fingerprint: object) -> bool:
        return fingerprint in self._blocked

    def __iter__(self) -> Iterator[Blocked]:
        return iter(self._blocked.values())

    def __len__(self) -> int:
        return len(self._blocked)

    def block(self, blocked: Blocked) -> Blocked:
        """Add somebody, unless they are there; return the entry. Raise `BlocksFull`."""
        if blocked.fingerprint not in self._blocked:
            if len(self._blocked) >= MAX_BLOCKED:
                raise BlocksFull
            self._change({**self._blocked, blocked.fingerprint: blocked})
        return self._blocked[blocked.fingerprint]

    def unblock(self, fingerprint: str) -> None:
        """Take somebody out, if they are there."""
        if fingerprint in self._blocked:
            self._change({name: each for name, each in self._blocked.items() if name != fingerprint})

    def _change(self, blocked: dict[str, Blocked]) -> None:
        rows = [asdict(each) for each in blocked.values()]
        self._store.save(json.dumps({"version": VERSION, "blocked": rows}, indent=1).encode() + b"\n")
        self._blocked = blocked


def _parse(raw: bytes) -> dict[str, Blocked]:
    content = json.loads(raw)
    if content["version"] != VERSION:
        raise ValueError("unknown version")
    rows = [
        Blocked(str(row["fingerprint"]), str(row["uri"]), float(row["since"])) for row in content["blocked"]
    ]
    if not all(FINGERPRINT.fullmatch(each.fingerprint) for each in rows):
        raise ValueError("no fingerprint")
    return {each.fingerprint: each for each in rows}
