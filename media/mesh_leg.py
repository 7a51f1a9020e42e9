"""One media section between two nodes: ICE, then DTLS, then SRTP keys, then a watch over the connection."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress

from .aiortc_adapter.dtls import CallCertificate, DtlsSession
from .aiortc_adapter.ice import Credentials, IceConnection
from .errors import MediaError, MediaRefused
from .protocol.candidate import Candidate
from .protocol.path_watch import LOST_SECONDS, Action, PathWatch
from .protocol.transport import Setup, Transport
from .sockets import LOOP_SOCKETS, Sockets

CONNECT_SECONDS = 20.0
"""From the moment when both transports are known, or the call is answered, to keys."""

RINGING_SECONDS = 0.03
"""How long the checks of ICE wait after the ring, unless somebody answers: first the phone rings, at both ends."""

GOODBYE_SECONDS = 3.0
"""Between the peer's close_notify and the end of the call: its BYE should come first."""

MAX_EARLY_DATA = 64


class MeshLeg:
    """One section's connection to the peer's node. `run()` does the work once `start()` lets it.

    What the peer says inside the association goes to `beside`, and to `inbox` unless that has taken it. `on_path` is
    told what the watch finds: `TELL_LOST`, `TELL_FOUND`, and `RENEW` when the nodes have to exchange new transports.
    """

    def __init__(
        self,
        *,
        is_caller: bool,
        certificate: CallCertificate,
        addresses: Sequence[str],
        peer_name: str,
        on_keyed: Callable[["MeshLeg"], None],
        on_path: Callable[["MeshLeg", Action], None],
        sockets: Sockets = LOOP_SOCKETS,
    ) -> None:
        self.ice = IceConnection(
            controlling=is_caller,
            addresses=addresses,
            ufrag=secrets.token_hex(4),
            password=secrets.token_hex(16),
            sockets=sockets,
        )
        self.session: DtlsSession | None = None
        self.remote: Transport | None = None
        self.beside: Callable[[bytes], bool] = lambda _: False
        self.inbox: asyncio.Queue[bytes] = asyncio.Queue(MAX_EARLY_DATA)
        self.keyed_after: float = 0.0
        self.keyed_at: float = 0.0
        self._is_caller = is_caller
        self._peer_name = peer_name
        self._certificate = certificate
        self._on_keyed = on_keyed
        self._on_path = on_path
        self._former_remote: Transport | None = None
        self.path: PathWatch | None = None
        self._group: asyncio.TaskGroup | None = None
        self._probing: asyncio.Task[None] | None = None
        self._may_start = asyncio.Event()
        self._is_answered = asyncio.Event()
        self._has_remote = asyncio.Event()
        self._deadline: float | None = None
        self._limit: asyncio.Timeout | None = None

    async def open(self) -> None:
        """Bind the sockets; raise `MediaError` when there is no address."""
        await self.ice.gather_candidates()

    def transport(self, setup: Setup, *, revealed: bool, is_next: bool = False) -> Transport:
        """Return our side, with our addresses only if `revealed`; `is_next`: of the next ICE session, if one is due."""
        session = (is_next and self.ice.next_credentials) or self.ice.credentials
        return Transport(
            ufrag=session.ufrag,
            password=session.password,
            fingerprint=self._certificate.fingerprint,
            setup=setup,
            candidates=self.ice.candidates() if revealed else (),
            complete=revealed,
        )

    async def set_remote(self, remote: Transport, *, may_renew: bool = False) -> None:
        """Take the peer's side, or more of its candidates.

        Another transport than before begins a new ICE session if it `may_renew` or we have asked for one ourselves;
        else it is refused, as another certificate always is. One that the last change has replaced was only late.
        """
        former, self.remote = self.remote, self.remote or remote
        if former is not None and not former.is_same_as(remote):
            if self._former_remote is not None and self._former_remote.is_same_as(remote):
                return
            may_renew = self.path is not None and (may_renew or self.ice.next_credentials is not None)
            if former.fingerprint != remote.fingerprint or not may_renew:
                raise MediaRefused("The other node changed its transport in the middle of the call")
            self._former_remote, self.remote = former, remote
            self.ice.restart(Credentials(remote.ufrag, remote.password), self._usable(remote))
            return
        self._has_remote.set()
        if self.path is not None:
            self.ice.check_more(self._usable(remote))
            return
        await self.ice.add_candidates(self._usable(remote), complete=remote.complete)
        if remote.complete and self._may_start.is_set():
            self.expect()

    def _usable(self, remote: Transport) -> list[Candidate]:
        return [c for c in remote.candidates if c.is_unicast and (not c.is_loopback or self._is_local)]

    async def move(self, addresses: Sequence[str]) -> None:
        """Go on from these local addresses: the peer is asked at once, by the old way and by new ones."""
        await self.ice.move(addresses)
        self._probe()

    @property
    def _is_local(self) -> bool:
        """Whether this leg stays on this machine: then, and only then, loopback candidates are used."""
        return any(candidate.is_loopback for candidate in self.ice.candidates())

    def start(self, *, answered: bool) -> None:
        """Let ICE begin, once there is a remote side; `answered` says that somebody waits to be heard."""
        self._may_start.set()
        if answered:
            self._is_answered.set()
        if answered or (self.remote is not None and self.remote.complete):
            self.expect()

    def expect(self) -> None:
        """From now on the connection must stand within `CONNECT_SECONDS`."""
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + CONNECT_SECONDS
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(self._deadline)

    async def run(self) -> None:
        """Connect, take the keys, then watch. Raise `MediaError`, perhaps in a group, when it is lost."""
        await self._may_start.wait()
        await self._has_remote.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(RINGING_SECONDS):
                await self._is_answered.wait()
        begun = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(self._deadline) as self._limit:
                session = await self._connect()
        except TimeoutError as late:
            raise MediaError(480, "No way for the sound was found between the two nodes") from late
        finally:
            self._limit = None
        self.session = session
        self.keyed_at = asyncio.get_running_loop().time()
        self.keyed_after = self.keyed_at - begun
        self._on_keyed(self)
        try:
            async with asyncio.TaskGroup() as self._group:
                self._group.create_task(session.repeat_last_flight())
                self._group.create_task(self._watch())
                await session.ended()
                await asyncio.sleep(GOODBYE_SECONDS)
                raise MediaError(480, f"The connection to {self._peer_name} was closed at the other end")
        finally:
            self._group = None

    async def _connect(self) -> DtlsSession:
        assert self.remote is not None
        self.ice.remote_username, self.ice.remote_password = self.remote.ufrag, self.remote.password
        try:
            await self.ice.connect()
        except ConnectionError as failed:
            raise MediaError(480, "No way for the sound was found between the two nodes") from failed
        self.session = DtlsSession(
            self.ice,
            self._certificate,
            is_server=self._is_caller,
            peer_fingerprint=self.remote.fingerprint,
            on_data=self._keep,
        )
        await self.session.handshake()
        return self.session

    def _keep(self, data: bytes) -> None:
        """Keep a message of the peer for the confirmation; what floods is dropped, as DTLS may."""
        if self.beside(data):
            return
        try:
            self.inbox.put_nowait(data)
        except asyncio.QueueFull:
            self.ice.drop("data_flood")

    async def _watch(self) -> None:
        now = asyncio.get_running_loop().time
        self.path = PathWatch(now(), lost_after=LOST_SECONDS)
        while True:
            self.ice.heard = False
            await asyncio.sleep(self.path.pause)
            self.ice.look()
            for action in self.path.look(now(), heard=self.ice.heard):
                match action:
                    case Action.GIVE_UP:
                        raise MediaError(480, f"The connection to {self._peer_name} was lost")
                    case Action.PROBE:
                        self._probe()
                    case _:
                        self._on_path(self, action)

    def _probe(self) -> None:
        is_idle = self._probing is None or self._probing.done()
        if is_idle and self._group is not None:
            self._probing = self._group.create_task(self.ice.probe())

    async def aclose(self) -> None:
        """Close the association, then the sockets."""
        if self.session is not None:
            await self.session.aclose()
        await self.ice.close()
        self._on_keyed = self._on_path = _nobody  # the call holds its legs, and no longer they it


def _nobody(*_told: object) -> None:
    """Hear what a leg tells that is closed."""
