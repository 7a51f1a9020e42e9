"""The answers of a fork: which of several refusals the caller hears (RFC 3261 16.7)."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Branch = TypeVar("Branch", bound=Hashable)
Outcome = TypeVar("Outcome")

_TELLS_MORE = (401, 407, 415, 420, 484)  # RFC 3261 16.7 step 6: these help the caller to try again
_TELLS_LITTLE = (480, 481, 487, 503)  # nobody there: any other response of the class says more
_TELLS_NOTHING = 408


def preference(status: int) -> tuple[int, int]:
    """Return a sort key: the smallest is the response to pass on.

    6xx first, then 4xx, 5xx, 3xx. RFC 3261 puts 3xx before 4xx; a device that is busy is better
    news than one that sends callers elsewhere. Among 4xx, 486 (a person chose to be busy) before the rest.
    """
    group = {6: 0, 4: 1, 5: 2, 3: 3}[status // 100]
    if status == 486:
        return group, 0
    if status in _TELLS_MORE:
        return group, 1
    if status in _TELLS_LITTLE:
        return group, 3
    return group, 4 if status == _TELLS_NOTHING else 2


@dataclass
class Fork(Generic[Branch, Outcome]):
    """Keeps count of the branches of one call that can still answer."""

    pending: set[Branch] = field(default_factory=set)
    refused: list[tuple[int, Outcome]] = field(default_factory=list)

    def fail(self, branch: Branch, status: int, outcome: Outcome) -> Outcome | None:
        """Note a final refusal; return the one to pass on once it is decided, else None.

        A 6xx decides at once: the callee declined everywhere. Else the last branch decides.
        """
        if branch not in self.pending:
            return None
        self.pending.discard(branch)
        self.refused.append((status, outcome))
        if self.pending and status < 600:
            return None
        return min(self.refused, key=lambda each: preference(each[0]))[1]
