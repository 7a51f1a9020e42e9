"""One media section between a browser on this machine and its node: ICE, then DTLS as its server, then SRTP keys."""

import asyncio
import secrets
from collections.abc import Callable, Sequence

from .aiortc_adapter.dtls import CallCertificate, DtlsSession
from .aiortc_adapter.ice import IceConnection
from .errors import MediaError, MediaRefused
from .protocol.transport import Setup, Transport
from .sockets import LOOP_SOCKETS, Sockets

CONNECT_SECONDS = 20.0
LOST_SECONDS = 10
GOODBYE_SECONDS = 3.0
"""Between the browser's close_notify and the end of the call: its word over the WebSocket should come first."""

NO_WAY = "No way for the sound was found between the browser and its node"


class BrowserLeg:
    """The connection of one section. `run()` does the work once `start()` lets it.

    The node is the DTLS server whoever offers, for the server chooses the SRTP profile: AES-GCM. It is ICE
    controlling where it made the first offer (RFC 8445 section 6.1.1).
    """

    def __init__(
        self,
        *,
        controlling: bool,
        certificate: CallCertificate,
        addresses: Sequence[str],
        on_keyed: Callable[["BrowserLeg"], None],
        sockets: Sockets = LOOP_SOCKETS,
    ) -> None:
        self.ice = IceConnection(
            controlling=controlling,
            addresses=addresses,
            ufrag=secrets.token_hex(4),
            password=secrets.token_hex(16),
            sockets=sockets,
        )
        self.session: DtlsSession | None = None
        self._certificate = certificate
        self._on_keyed = on_keyed
        self._remote: Transport | None = None
        self._may_start = asyncio.Event()

    async def open(self) -> None:
        """Bind the sockets; raise `MediaError` when there is no address."""
        await self.ice.gather_candidates()

    def transport(self, setup: Setup) -> Transport:
        """Return our side."""
        return Transport(
            ufrag=self.ice.local_username,
            password=self.ice.local_password,
            fingerprint=self._certificate.fingerprint,
            setup=setup,
            candidates=self.ice.candidates(),
            complete=True,
        )

    async def set_remote(self, remote: Transport) -> None:
        """Take the browser's side, with all of its candidates; another transport than before is refused."""
        if self._remote is not None:
            if not self._remote.is_same_as(remote):
                raise MediaRefused("The browser changed its transport in the middle of the call")
            return
        self._remote = remote
        usable = [candidate for candidate in remote.candidates if candidate.is_unicast]
        await self.ice.add_candidates(usable, complete=True)

    def start(self) -> None:
        """Let ICE begin: both sides are known, or will be with the answer."""
        self._may_start.set()

    async def run(self) -> None:
        """Connect, take the keys, then watch. Raise `MediaError`, perhaps in a group, when it is lost."""
        await self._may_start.wait()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                session = await self._connect()
        except TimeoutError as late:
            raise MediaError(480, NO_WAY) from late
        self._on_keyed(self)
        async with asyncio.TaskGroup() as group:
            group.create_task(session.repeat_last_flight())
            group.create_task(self._watch())
            await session.ended()
            await asyncio.sleep(GOODBYE_SECONDS)
            raise MediaError(480, "The browser closed its connection")

    async def _connect(self) -> DtlsSession:
        assert self._remote is not None
        self.ice.remote_username, self.ice.remote_password = self._remote.ufrag, self._remote.password
        try:
            await self.ice.connect()
        except ConnectionError as failed:
            raise MediaError(480, NO_WAY) from failed
        self.session = DtlsSession(
            self.ice,
            self._certificate,
            is_server=True,
            peer_fingerprint=self._remote.fingerprint,
            on_data=lambda _data: self.ice.drop("data_channel"),
        )
        await self.session.handshake()
        return self.session

    async def _watch(self) -> None:
        quiet = 0
        while quiet < LOST_SECONDS:
            self.ice.heard = False
            await asyncio.sleep(1)
            self.ice.look()
            quiet = 0 if self.ice.heard else quiet + 1
        raise MediaError(480, "The connection to the browser was lost")

    async def aclose(self) -> None:
        """Close the association, then the sockets."""
        if self.session is not None:
            await self.session.aclose()
        await self.ice.close()
