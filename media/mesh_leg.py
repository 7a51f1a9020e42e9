"""One media section between two nodes: ICE, then DTLS, then SRTP keys, then a watch over the connection."""

import asyncio
import secrets
from collections.abc import Callable, Sequence

from .aiortc_adapter.dtls import CallCertificate, DtlsSession
from .aiortc_adapter.ice import IceConnection
from .errors import MediaError, MediaRefused
from .protocol.transport import Setup, Transport
from .sockets import LOOP_SOCKETS, Sockets

CONNECT_SECONDS = 20.0
"""From the moment when both transports are known, or the call is answered, to keys."""

LOST_SECONDS = 10
"""So long without anything that only the peer can have sent, and the connection is lost."""

GOODBYE_SECONDS = 3.0
"""Between the peer's close_notify and the end of the call: its BYE should come first."""

MAX_EARLY_DATA = 64


class MeshLeg:
    """One section's connection to the peer's node. `run()` does the work once `start()` lets it.

    What the peer says inside the association goes to `beside`, and to `inbox` unless that has taken it.
    """

    def __init__(
        self,
        *,
        is_caller: bool,
        certificate: CallCertificate,
        addresses: Sequence[str],
        peer_name: str,
        on_keyed: Callable[["MeshLeg"], None],
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
        self._may_start = asyncio.Event()
        self._has_remote = asyncio.Event()
        self._deadline: float | None = None
        self._limit: asyncio.Timeout | None = None

    async def open(self) -> None:
        """Bind the sockets; raise `MediaError` when there is no address."""
        await self.ice.gather_candidates()

    def transport(self, setup: Setup, *, revealed: bool) -> Transport:
        """Return our side, with our addresses only if `revealed`."""
        return Transport(
            ufrag=self.ice.local_username,
            password=self.ice.local_password,
            fingerprint=self._certificate.fingerprint,
            setup=setup,
            candidates=self.ice.candidates() if revealed else (),
            complete=revealed,
        )

    async def set_remote(self, remote: Transport) -> None:
        """Take the peer's side, or more of its candidates; another transport than before is refused."""
        if self.remote is not None and not self.remote.is_same_as(remote):
            raise MediaRefused("The other node changed its transport in the middle of the call")
        self.remote = self.remote or remote
        self._has_remote.set()
        usable = [c for c in remote.candidates if c.is_unicast and (not c.is_loopback or self._is_local)]
        await self.ice.add_candidates(usable, complete=remote.complete)
        if remote.complete and self._may_start.is_set():
            self.expect()

    @property
    def _is_local(self) -> bool:
        """Whether this leg stays on this machine: then, and only then, loopback candidates are used."""
        return any(candidate.is_loopback for candidate in self.ice.candidates())

    def start(self, *, answered: bool) -> None:
        """Let ICE begin, once there is a remote side; `answered` says that somebody waits to be heard."""
        self._may_start.set()
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
        async with asyncio.TaskGroup() as group:
            group.create_task(session.repeat_last_flight())
            group.create_task(self._watch())
            await session.ended()
            await asyncio.sleep(GOODBYE_SECONDS)
            raise MediaError(480, f"The connection to {self._peer_name} was closed at the other end")

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
        quiet = 0
        while quiet < LOST_SECONDS:
            self.ice.heard = False
            await asyncio.sleep(1)
            self.ice.look()
            quiet = 0 if self.ice.heard else quiet + 1
        raise MediaError(480, f"The connection to {self._peer_name} was lost")

    async def aclose(self) -> None:
        """Close the association, then the sockets."""
        if self.session is not None:
            await self.session.aclose()
        await self.ice.close()
