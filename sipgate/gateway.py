"""The gateway: phones on one side, other nodes on the other, calls between them."""

from __future__ import annotations

import asyncio
import datetime
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .addresses import free_port, is_our_address
from .authentication import Authenticator, Challenged, challenge
from .call_rules import CallRules, RingAlways
from .calls.call import Call
from .calls.from_node import FromNode
from .calls.from_phone import FromPhone
from .calls.handset_leg import HandsetLeg
from .calls.handsets import Handsets
from .calls.line import LOOPBACK
from .calls.node import Node
from .calls.outgoing import CallingPhone
from .calls.refusal import check_extensions, not_done, options, refuse
from .calls.service_leg import ServiceLeg
from .calls.switchboard import DEFAULT_HOPS, Switchboard
from .devices import Devices
from .endpoint import Endpoint
from .events import GatewayEvent, PhoneRegistered, PhoneUnregistered
from .handset import Handset, HandsetCall
from .identity import NodeIdentity, ReplayMemory, sender_of
from .limits import Limits
from .location import Location
from .messages.from_node import MessageFromNode
from .messages.from_phone import MessageFromPhone
from .messages.post import Post
from .messages.room import Room
from .plain.domains import Domains
from .plain.outgoing import Dialled
from .ports import (
    Accounts,
    Admission,
    Aliases,
    Audience,
    Directory,
    Doorkeeper,
    LocalUser,
    Mailbox,
    MediaFactory,
    Nobody,
    NoWork,
    OpenDoor,
    Refusal,
    Service,
    Whereabouts,
    Work,
    nowhere,
)
from .protocol.digest import Nonces
from .protocol.uri import Uri
from .registrar import Registrar
from .server_transaction import ServerTransaction
from .subscriptions.desk import Subscriptions
from .supervision import Supervise, in_the_group
from .target import parse_target
from .tls import server_context
from .transport import Flow
from .ways import SIP_PORT, host_in_uri

Answer: TypeAlias = Callable[[ServerTransaction], Awaitable[object]]

HANDSET = "browser"  # what a handset is called where a phone has its Contact
FAREWELL = 2.0  # seconds for the last BYEs when the node stops
STOPS = "The node stops"


class Gateway:
    """The SIP side of a node. An async context manager: leaving it ends all calls and closes all sockets.

    `supervise` starts the tasks of requests and calls and decides what becomes of one that fails; without it
    a failure ends the gateway. `wall_clock` gives Unix seconds. Without an `audience` nobody in the mesh sees
    whether our users can be called; `shows_calls` lets those who do see that a user is in a call. Without `domains`
    nobody outside of the mesh is called, without `aliases` nobody anonymously.
    """

    def __init__(
        self,
        *,
        node_key: Ed25519PrivateKey,
        accounts: Accounts,
        directory: Directory,
        admission: Admission,
        media: MediaFactory,
        services: Callable[[str], Callable[[], Service] | None],
        on_event: Callable[[GatewayEvent], None],
        mailbox: Mailbox | None = None,
        audience: Audience | None = None,
        doorkeeper: Doorkeeper | None = None,
        work: Work | None = None,
        rules: CallRules | None = None,
        domains: Domains | None = None,
        aliases: Aliases | None = None,
        whereabouts: Whereabouts = nowhere,
        shows_calls: bool = False,
        domain: str = "mesh",
        limits: Limits | None = None,
        supervise: Supervise = in_the_group,
        token: Callable[[], str] = lambda: secrets.token_hex(12),
        wall_clock: Callable[[], float] = lambda: datetime.datetime.now(datetime.UTC).timestamp(),
        endpoint: Callable[..., Endpoint] = Endpoint,
    ) -> None:
        limits = limits or Limits()
        self._node_key = node_key
        self._on_event = on_event
        self._supervise = supervise
        self._group = asyncio.TaskGroup()
        self._endpoint = endpoint(on_request=self._answer, supervise=supervise)
        self.is_connected = self._endpoint.is_connected
        self._node = Node(
            domain=domain,
            identity=NodeIdentity(node_key, wall_clock),
            accounts=accounts,
            directory=directory,
            admission=admission,
            media=media,
            services=services,
            location=Location(limits.bindings_per_user),
            limits=limits,
            on_event=self._tell,
            token=token,
            clock=self._now,
            sender=self._endpoint,
            handsets=Handsets(limits.bindings_per_user),
            doorkeeper=doorkeeper or OpenDoor(),
            work=work or NoWork(),
            rules=rules or RingAlways(),
            domains=domains,
            aliases=aliases,
            whereabouts=whereabouts,
        )
        self._stack = AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()
        self._hosts = {"localhost"}
        self._ports: set[int] = set()
        self._registered = asyncio.Event()
        self._watched: set[Flow] = set()
        self.devices = Devices(self._node, self._endpoint, self._hosts, self._ports)
        self._switchboard = Switchboard(self._node, self._start, self._own_hosts)
        authenticator = Authenticator(accounts, Nonces(secrets.token_bytes(32)), domain, self._now)
        registrar = Registrar(authenticator, self._node.location, limits, self._now, self._is_own, self._tell)
        self._registrar = registrar
        self._phones = FromPhone(self._node, self._switchboard, registrar, authenticator, self._own_hosts)
        self._nodes = FromNode(self._node, self._switchboard, ReplayMemory(limits.replay_memory))
        self.subscriptions = Subscriptions(
            self._node,
            self._start,
            authenticator,
            self._own_hosts,
            audience or Nobody(),
            self._user_of,
            wall_clock,
            shows_calls=shows_calls,
        )
        self._from_phone: dict[str, Answer] = {
            "INVITE": self._phones.invite,
            "REGISTER": self._register,
            "OPTIONS": self._options,
            "SUBSCRIBE": self.subscriptions.phones.subscribe,
            "PUBLISH": self.subscriptions.publish,
            "NOTIFY": self.subscriptions.notify,
        }
        self._from_node: dict[str, Answer] = {
            "INVITE": self._nodes.invite,
            "OPTIONS": self._options_of_node,
            "SUBSCRIBE": self.subscriptions.nodes.subscribe,
            "NOTIFY": self.subscriptions.notify,
        }
        self.post = Post(self._node)
        if mailbox is not None:
            self._take_messages(mailbox, authenticator, limits)

    def _take_messages(self, mailbox: Mailbox, authenticator: Authenticator, limits: Limits) -> None:
        room, replays = Room(limits), ReplayMemory(limits.replay_memory)
        phones = MessageFromPhone(self._node, mailbox, authenticator, room, self._own_hosts)
        self._from_phone["MESSAGE"] = phones.message
        self._from_node["MESSAGE"] = MessageFromNode(self._node, mailbox, replays, room).message

    # -- life

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._endpoint)
        if self._node.domains is not None:
            await self._stack.enter_async_context(self._node.domains)
        await self._stack.enter_async_context(self._group)
        self._stack.push_async_callback(self._stop)
        self._own(self._group.create_task(self._expire_bindings(), name="expire bindings"))
        self._own(self._group.create_task(self.subscriptions.run(), name="expire publications"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Only a cancellation concerns the groups; any other failure of the body is its owner's.
        cancelled = isinstance(error, asyncio.CancelledError)
        await self._stack.__aexit__(*((kind, error, trace) if cancelled else (None, None, None)))

    async def _stop(self) -> None:
        try:
            await self._switchboard.end_all(STOPS, FAREWELL)
            await self.subscriptions.end_all(FAREWELL)
        finally:
            for task in list(self._tasks):
                task.cancel()

    def _start(self, job: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run what a request has begun; raise `Refusal` when nobody would end it any more."""
        if self._switchboard.is_ending:
            job.close()
            raise Refusal(503, STOPS)
        return self._own(self._supervise(self._group, job, name))

    def _own(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def listen_phones(self, host: str, port: int) -> int:
        """Listen for phones on UDP and TCP, on the same port; return it (0 asks for a free one).

        Raises OSError, with nothing changed, when the port is taken on either.
        """
        port = free_port(host, port)
        await self._endpoint.listen_udp(host, port)
        await self._endpoint.listen_tcp(host, port)
        self._hosts.add(host_in_uri(host))
        self._ports.add(port)
        self._node.phone_port = port
        return port

    async def listen_mesh(self, host: str, port: int) -> int:
        """Listen for other nodes, SIP over TLS; return the port. Raises OSError."""
        port = await self._endpoint.listen_tls(host, port, server_context(self._node_key))
        self._ports.add(port)
        self._node.mesh_port = port
        return port

    # -- calls

    @property
    def calls(self) -> Mapping[str, Call]:
        """The calls of this node, by id; those that are over leave when their last message is answered."""
        return MappingProxyType(self._switchboard.calls)

    async def place_call(
        self, local_uri: str, target: str, service: Service, *, anonymous: bool | None = None
    ) -> Call:
        """Call `target` on behalf of our user `local_uri`, with `service` in place of a phone.

        `anonymous` is whether the call shows who it is; by default it does as the user has set it.
        Raises KeyError when `local_uri` is no user of ours, `Refusal` when the call cannot even begin (no mesh URI,
        too many calls, the node stops). The service is closed with the call, or at once in that case.
        """
        leg = ServiceLeg(service)
        try:
            user, dialled = self._begin(local_uri, target)
            phone = CallingPhone(LOOPBACK, None, await leg.offer(), DEFAULT_HOPS)
            search = dialled.search(self._node, user, phone, asked=anonymous)
            return self._switchboard.connect("out", leg, dialled.target, search, user.uri, None)
        except BaseException:
            await leg.aclose()
            raise

    def _begin(self, local_uri: str, target: str) -> tuple[LocalUser, Dialled]:
        user = self._node.accounts.by_uri(local_uri)
        if user is None:
            raise KeyError(local_uri)
        dialled = Dialled.of(parse_target(target), self._node, self._own_hosts())
        self._switchboard.check_room(user.uri, None)
        return user, dialled

    @contextmanager
    def attached(self, local_uri: str, handset: Handset) -> Iterator[None]:
        """Let `handset` ring for our user `local_uri` while the block runs.

        Raises KeyError when that is no user of ours, `Refusal` when they have too many already.
        """
        user = self._node.accounts.by_uri(local_uri)
        if user is None:
            raise KeyError(local_uri)
        self._node.handsets.add(user.username, handset)
        self._tell(PhoneRegistered(user.username, HANDSET, 0))
        try:
            yield
        finally:
            self._node.handsets.remove(user.username, handset)
            self._tell(PhoneUnregistered(user.username, HANDSET))

    def call_from(
        self, local_uri: str, target: str, handset: Handset, call: HandsetCall, offer: bytes
    ) -> Call:
        """Call `target` from an attached handset, whose `call` makes `offer` (a plain phone's SDP).

        Raises what `place_call` does; `call` has then not been taken.
        """
        user, dialled = self._begin(local_uri, target)
        phone = CallingPhone(LOOPBACK, None, offer, DEFAULT_HOPS, handset)
        search = dialled.search(self._node, user, phone)
        leg = HandsetLeg(call, session=offer)
        return self._switchboard.connect("out", leg, dialled.target, search, user.uri, None)

    async def hang_up(self, call_id: str, reason: str) -> None:
        """End the call with that id; KeyError when there is none."""
        await self._switchboard.calls[call_id].hang_up(reason)

    async def transfer(self, call_id: str, target: str | None, consulted: str | None = None) -> str:
        """Send whom our user talks with to `target`, or into the call with the id `consulted`; return where to (a URI).

        Returns when they are there. Raises KeyError when there is no such call, `Refusal` when it could not be done.
        """
        to = None if target is None else parse_target(target)
        return await self._switchboard.exchange.order(call_id, to, consulted)

    # -- requests

    async def _answer(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        try:
            await self._dispatch(transaction)
        except Challenged as challenged:
            await transaction.respond(challenge(request, challenged, self._node.token()))
        except Refusal as refusal:
            await transaction.respond(refuse(request, refusal, self._node.token()))

    async def _dispatch(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        from_node = transaction.flow.side == "mesh"
        check_extensions(request, from_phone=not from_node, on_connection=transaction.flow.transport != "udp")
        if request.to.tag is not None:
            leg = self._node.dialogs.find(request)
            if leg is None:
                raise Refusal(481, "No such call")
            await leg.receive(transaction)
        else:
            answers = self._from_node if from_node else self._from_phone
            if request.method not in answers:
                raise not_done(request.method)
            await answers[request.method](transaction)

    async def _register(self, transaction: ServerTransaction) -> None:
        await self._phones.register(transaction)
        self._registered.set()
        flow = transaction.flow
        if flow.transport != "udp" and flow not in self._watched:
            self._watched.add(flow)
            self._start(self._watch_flow(flow), "registered connection")

    async def _watch_flow(self, flow: Flow) -> None:
        await flow.closed()
        self._watched.discard(flow)
        self._registrar.flow_closed(flow)

    async def _options(self, transaction: ServerTransaction) -> None:
        await transaction.respond(options(transaction.request, self._node.token()))

    async def _options_of_node(self, transaction: ServerTransaction) -> None:
        sender_of(transaction.request)
        await self._options(transaction)

    # -- what this node is

    def _tell(self, event: GatewayEvent) -> None:
        """Tell the owner, and those who subscribe to what the event changes."""
        self._on_event(event)
        self.subscriptions.observe(event)

    def _user_of(self, call: str) -> LocalUser | None:
        return self._node.accounts.by_uri(self._switchboard.users.get(call, ""))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _own_hosts(self) -> set[str]:
        return self._hosts

    def _is_own(self, uri: Uri) -> bool:
        """Tell whether a URI leads back to this node's own sockets."""
        if (uri.port or SIP_PORT) not in self._ports:
            return False
        return uri.host.lower() in self._hosts or is_our_address(uri.host.strip("[]"))

    async def _expire_bindings(self) -> None:
        while True:
            due = self._node.location.next_expiry()
            self._registered.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._registered.wait()
            self._registrar.expire()
