"""One transaction: a machine, the state it is in, its timers, and the messages it may have to repeat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

from . import invite_client, invite_server, non_invite_client, non_invite_server
from .message import Request, Response
from .timers import Timer

Path = TypeVar("Path")


@dataclass(frozen=True)
class Machine:
    """What the four table modules have in common."""

    start: tuple[Any, tuple[Any, ...]]
    end: Enum
    timers: Mapping[Any, tuple[Timer, ...]]
    step: Callable[[Any, Any], tuple[Any, tuple[Any, ...]]]
    inputs: type[Enum]


INVITE_CLIENT, INVITE_SERVER, NON_INVITE_CLIENT, NON_INVITE_SERVER = (
    Machine(table.START, table.END, table.TIMERS, table.step, table.Input)
    for table in (invite_client, invite_server, non_invite_client, non_invite_server)
)


@dataclass(eq=False)
class Transaction(Generic[Path]):
    """One transaction, client or server. The layer alone changes it; others may read.

    `path` is where its messages go, `source` the address of the party that began a server transaction.
    `sent` is what it repeats; `accepted` says that a 2xx to an INVITE was given, `acked` that its ACK came.
    """

    machine: Machine
    request: Request
    path: Path
    reliable: bool
    source: str = ""
    state: Enum = field(init=False)
    sent: bytes = b""
    accepted: bool = False
    acked: bool = False
    cancel_headers: tuple[tuple[str, str], ...] | None = None
    deadlines: dict[Timer, float] = field(default_factory=dict)
    intervals: dict[Timer, float] = field(default_factory=dict)
    index_keys: list[tuple[dict[Any, Any], Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = self.machine.start[0]

    @property
    def is_server(self) -> bool:
        """Whether the other side began it."""
        return self.machine in (INVITE_SERVER, NON_INVITE_SERVER)

    @property
    def is_invite(self) -> bool:
        """Whether it has three messages instead of two."""
        return self.machine in (INVITE_CLIENT, INVITE_SERVER)

    def input_by(self, response: Response) -> str:
        """Return the name of the machine's input that a response is, received or given."""
        if response.status < 200:
            return "PROVISIONAL"
        if not self.is_invite:
            return "FINAL"
        return "SUCCESS" if response.status < 300 else "FAILURE"

    @property
    def is_over(self) -> bool:
        """Whether it is terminated."""
        return self.state is self.machine.end

    @property
    def awaits_response(self) -> bool:
        """Whether it is a client transaction that is still repeating, or would over UDP, its request."""
        return not self.is_server and (
            self.state.name in ("CALLING", "TRYING")
            or (self.state.name == "PROCEEDING" and not self.is_invite)
        )

    @property
    def has_final(self) -> bool:
        """Whether a final response was received or given."""
        return self.state.name not in ("CALLING", "TRYING", "PROCEEDING")
