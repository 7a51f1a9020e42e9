"""The presence of our own users: what their phones publish, or else whether a phone is registered."""

from __future__ import annotations

from collections.abc import Callable

from sipgate.calls.node import Node
from sipgate.ports import LocalUser
from sipgate.protocol import pidf
from sipgate.protocol.event_state import Publications
from sipgate.protocol.pidf import Presence

from .resource import Listeners, View


class OwnPresence:
    """One user's presence, as others may see it: open or closed, a note, and by policy that they are in a call."""

    def __init__(
        self, node: Node, user: LocalUser, published: Publications[Presence], *, shows_calls: bool
    ) -> None:
        self._node = node
        self._user = user
        self._published = published
        self._shows_calls = shows_calls
        self._talking = 0
        self._listeners = Listeners()
        self._told = self.presence()

    def presence(self) -> Presence:
        """Return the presence at this moment (RFC 3859: open if it is open on any device)."""
        now = self._node.clock()
        published = self._published.states(self._user.username, now)
        if published:
            is_open = any(each.is_open for each in published)
            note = next((each.note for each in reversed(published) if each.note), "")
        else:
            name = self._user.username
            is_open = bool(self._node.location.bindings(name, now)) or self._node.handsets.has(name)
            note = ""
        is_busy = self._shows_calls and (self._talking > 0 or any(each.is_busy for each in published))
        return Presence(is_open, note, is_busy)

    def view(self) -> View:
        """Return the document."""
        document = pidf.compose(self._user.uri, self.presence())
        return View(is_granted=True, content_type=pidf.CONTENT_TYPE, body=document)

    def join(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after each change; return what ends that."""
        return self._listeners.join(listener)

    def talks(self, change: int) -> None:
        """Note that a call of the user was answered (1), or is over (-1)."""
        self._talking += change
        self.look()

    def look(self) -> None:
        """Tell the listeners if anything that they see has changed."""
        presence = self.presence()
        if presence != self._told:
            self._told = presence
            self._listeners.tell()


class OwnPresences:
    """The presence of each of our users, made when it is first asked for. Bounded: users are ours."""

    def __init__(self, node: Node, published: Publications[Presence], *, shows_calls: bool) -> None:
        self._node = node
        self._published = published
        self._shows_calls = shows_calls
        self._users: dict[str, OwnPresence] = {}

    def of(self, user: LocalUser) -> OwnPresence:
        """Return the presence of a user."""
        if user.username not in self._users:
            made = OwnPresence(self._node, user, self._published, shows_calls=self._shows_calls)
            self._users[user.username] = made
        return self._users[user.username]

    def look(self) -> None:
        """Tell of all that has changed."""
        for each in self._users.values():
            each.look()
