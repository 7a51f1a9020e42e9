"""What can be subscribed to: a view that somebody keeps up to date, and those who want to hear of changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class View:
    """What a subscriber is told. Without `is_granted` the subscription is pending, and the body says nothing."""

    is_granted: bool
    content_type: str
    body: bytes


class Resource(Protocol):
    """Something of which phones or nodes are told."""

    def view(self) -> View:
        """Return what is to be told now."""
        ...

    def join(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after each change; return what ends that."""
        ...


class Listeners:
    """Those who hear of a resource. Bounded by the number of subscriptions."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[], None]] = []

    def join(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after each change; return what ends that."""
        self._listeners.append(listener)
        return lambda: self._leave(listener)

    def tell(self) -> None:
        """Call everybody."""
        for listener in tuple(self._listeners):
            listener()

    def __len__(self) -> int:
        return len(self._listeners)

    def _leave(self, listener: Callable[[], None]) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)
