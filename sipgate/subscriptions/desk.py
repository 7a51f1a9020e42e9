"""All subscriptions of the node: what can be subscribed to, who has, and how much of it there may be."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeAlias

from sipgate.authentication import Authenticator
from sipgate.calls.node import Node
from sipgate.events import (
    CallAnswered,
    CallEnded,
    CallMissed,
    CallRefused,
    CallStarted,
    GatewayEvent,
    PhoneRegistered,
    PhoneUnregistered,
)
from sipgate.identity import ReplayMemory
from sipgate.location import Binding, each_once
from sipgate.ports import Audience, LocalUser, Peer, Refusal
from sipgate.protocol.event_state import Publications
from sipgate.protocol.message import reply
from sipgate.protocol.pidf import Presence
from sipgate.server_transaction import ServerTransaction
from sipgate.transport import Address, Hop
from sipgate.ways import Way

from .from_node import FromNode
from .from_phone import FromPhone
from .mailbox import PACKAGE as MESSAGE_SUMMARY
from .mailbox import Mailbox, notify_unasked
from .missed_calls import MissedCalls
from .notify import NO_SUBSCRIPTION, Notifier
from .own_presence import OwnPresence, OwnPresences
from .watch import Watches

Start: TypeAlias = Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]

GRACE = 2.0  # seconds that a phone has to subscribe before it is told unasked
MAX_CALLS = 1000


class Subscriptions:
    """Begins subscriptions, keeps them, and tells them what the gateway's events mean for them.

    `start` runs a job in a task that its owner looks after; `user_of` says which user a call (by id) is of;
    `wall_clock` gives Unix seconds.
    """

    def __init__(
        self,
        node: Node,
        start: Start,
        authenticator: Authenticator,
        own_hosts: Callable[[], set[str]],
        audience: Audience,
        user_of: Callable[[str], LocalUser | None],
        wall_clock: Callable[[], float],
        *,
        shows_calls: bool,
    ) -> None:
        self._node = node
        self._start = start
        self._user_of = user_of
        self._running: set[asyncio.Task[None]] = set()
        self._of_phones: dict[Notifier, str] = {}
        self._of_nodes: dict[tuple[bytes, str, str], Notifier] = {}
        self._published: Publications[Presence] = Publications(node.limits.bindings_per_user)
        self._news = asyncio.Event()
        self._mailboxes: dict[str, Mailbox] = {}
        self._phones: dict[str, set[str]] = {}
        self._peers: dict[str, str] = {}
        self._talking: dict[str, OwnPresence] = {}
        self.missed = MissedCalls(node.on_event, user_of, wall_clock)
        self._presences = OwnPresences(node, self._published, shows_calls=shows_calls)
        self._watches = Watches(node, self._run)
        self.phones = FromPhone(
            node,
            authenticator,
            own_hosts,
            self._presences,
            self._watches,
            self.mailbox,
            self._published,
            self._begin_for_phone,
            self._check_phones,
        )
        self.nodes = FromNode(
            node,
            audience,
            ReplayMemory(node.limits.replay_memory),
            self._presences,
            self._begin_for_node,
            self._check_nodes,
            self._watches.try_again,
        )

    def __len__(self) -> int:
        return len(self._of_phones) + len(self._of_nodes) + len(self._watches)

    def mailbox(self, user: LocalUser) -> Mailbox:
        """Return what waits for a user. Bounded: users are ours."""
        if user.username not in self._mailboxes:
            self._mailboxes[user.username] = Mailbox(user, self.missed)
        return self._mailboxes[user.username]

    def forget_missed(self, peer: str | None = None) -> bool:
        """Take missed calls as seen, of one peer or all; tell whether there were any."""
        if not self.missed.forget(peer):
            return False
        self._tell_mailboxes()
        return True

    def hide_from(self, peer: str) -> None:
        """Tell somebody nothing more at once, as when they are blocked."""
        for (_, watcher, _), notifier in self._of_nodes.items():
            if watcher == peer:
                notifier.stop("rejected")

    async def publish(self, transaction: ServerTransaction) -> None:
        """Answer a PUBLISH of a phone."""
        await self.phones.publish(transaction)
        self._news.set()

    async def notify(self, transaction: ServerTransaction) -> None:
        """Answer a NOTIFY that belongs to nothing."""
        await transaction.respond(reply(transaction.request, 481, NO_SUBSCRIPTION, tag=self._node.token()))

    # -- life

    async def run(self) -> None:
        """Forget what phones published when it runs out."""
        while True:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._published.next_expiry()):
                    await self._news.wait()
            if self._published.expire(self._node.clock()):
                self._presences.look()

    async def end_all(self, patience: float) -> None:
        """Tell every subscriber that it is over; return when they have heard it, or after `patience` seconds."""
        for notifier in (*self._of_phones, *self._of_nodes.values()):
            notifier.stop()
        if self._running:
            await asyncio.wait(self._running, timeout=patience)

    def _run(self, job: Coroutine[Any, Any, None], name: str) -> None:
        task = self._start(job, name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    # -- subscriptions to what is ours

    def _check_phones(self, user: LocalUser) -> None:
        """Raise `Refusal` when the phones of a user subscribe to too much."""
        if Counter(self._of_phones.values())[user.username] >= self._node.limits.subscriptions_per_user:
            raise Refusal(503, "The phones of this user subscribe to as much as they can")

    def _begin_for_phone(self, user: LocalUser, notifier: Notifier) -> None:
        self._of_phones[notifier] = user.username
        self._run(self._notify_phone(notifier), "notify a phone")

    async def _notify_phone(self, notifier: Notifier) -> None:
        try:
            await notifier.run()
        finally:
            del self._of_phones[notifier]

    def _check_nodes(self, key: bytes) -> None:
        """Raise `Refusal` when there are too many subscriptions of other nodes, or of this one."""
        limits = self._node.limits
        if sum(owner == key for owner, _, _ in self._of_nodes) >= limits.watchers_per_peer:
            raise Refusal(503, "Too many subscriptions come from this node")
        if len(self._of_nodes) >= limits.watchers:
            raise Refusal(503, "This node tells as many people as it can")

    def _begin_for_node(self, key: bytes, peer: Peer, user: LocalUser, notifier: Notifier) -> None:
        """Begin; an older subscription of the same person at the same node has been lost there."""
        name = (key, peer.uri, user.uri)
        if older := self._of_nodes.get(name):
            older.drop()
        self._of_nodes[name] = notifier
        self._run(self._notify_node(name, notifier), "notify a node")

    async def _notify_node(self, name: tuple[bytes, str, str], notifier: Notifier) -> None:
        try:
            await notifier.run()
        finally:
            if self._of_nodes.get(name) is notifier:
                del self._of_nodes[name]

    # -- what the gateway's events mean

    def observe(self, event: GatewayEvent) -> None:
        """Take an event of the gateway."""
        match event:
            case PhoneRegistered(user=user, contact=contact):
                self._phone_came(user, contact)
            case PhoneUnregistered(user=user, contact=contact):
                self._phones.get(user, set()).discard(contact)
                self._presences.look()
            case CallStarted():
                self._call_began(event)
            case CallAnswered(call=call):
                self._call_answered(call)
            case CallEnded(call=call) | CallRefused(call=call):
                self._call_over(call)
        if self.missed.observe(event):
            if isinstance(event, CallMissed) and (whose := self._node.accounts.by_username(event.user)):
                self.mailbox(whose)
            self._tell_mailboxes()

    def _phone_came(self, username: str, contact: str) -> None:
        """Note a phone; one that comes back from another address has left the former one without a word."""
        is_known = contact in self._phones.get(username, ())
        now = self._node.clock()
        self._phones[username] = {each.contact for each in self._node.location.bindings(username, now)}
        if is_known:
            return
        self._presences.look()
        user = self._node.accounts.by_username(username)
        if user is not None and len(self.mailbox(user)):
            self._run(self._after_a_moment(user, contact), "message waiting")

    async def _after_a_moment(self, user: LocalUser, contact: str) -> None:
        """Tell a phone that has just registered what waits, unless it asks by itself."""
        await asyncio.sleep(GRACE)
        mailbox = self.mailbox(user)
        for phone in self._node.location.bindings(user.username, self._node.clock()):
            if phone.contact == contact and len(mailbox) and not self._has_asked(user, phone):
                await notify_unasked(self._node, mailbox, phone)

    def _tell_mailboxes(self) -> None:
        """Light or put out the lamps of all phones, also of those that have not subscribed."""
        for mailbox in self._mailboxes.values():
            mailbox.tell()
            bindings = self._node.location.bindings(mailbox.user.username, self._node.clock())
            for phone in each_once(bindings):
                if not self._has_asked(mailbox.user, phone):
                    self._run(notify_unasked(self._node, mailbox, phone), "message waiting")

    def _has_asked(self, user: LocalUser, phone: Binding) -> bool:
        """Tell whether a phone has subscribed to message waiting."""
        addresses = {_address(way) for way in phone.route.ways}
        return any(
            owner == user.username
            and notifier.event.package == MESSAGE_SUMMARY
            and not addresses.isdisjoint(_address(way) for way in notifier.line.ways())
            for notifier, owner in self._of_phones.items()
        )

    def _call_began(self, event: CallStarted) -> None:
        if len(self._peers) < MAX_CALLS:
            self._peers[event.call] = event.peer

    def _call_answered(self, call: str) -> None:
        user = self._user_of(call)
        if user is not None and call in self._peers:
            self._talking[call] = self._presences.of(user)
            self._talking[call].talks(1)

    def _call_over(self, call: str) -> None:
        """Whoever was in a call is known by now, and may be seen."""
        if talked := self._talking.pop(call, None):
            talked.talks(-1)
        if peer := self._peers.pop(call, None):
            self._watches.try_again(peer)


def _address(way: Way) -> Address:
    return (way.host, way.port) if isinstance(way, Hop) else way.remote
