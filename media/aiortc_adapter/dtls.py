"""DTLS on aiortc: a certificate for each call, the peer's pinned, flights repeated early, keys taken out."""

# ruff: noqa: SLF001 - this package is where private seams are touched; a contract test watches them

import asyncio
import hmac
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from aiortc.rtcdtlstransport import (
    SRTP_PROFILES,
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    SRTPProtectionProfile,
)
from cryptography.hazmat.primitives import hashes
from OpenSSL import SSL

from media.errors import MediaError

from .srtp import Srtp

if TYPE_CHECKING:
    from aiortc.rtcicetransport import RTCIceTransport

DTLS_1_2 = 0xFEFD
CIPHERS = b"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305"
PHONE_CIPHERS = (
    CIPHERS + b":ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305"
)
"""Where we are the client, a phone may have an RSA certificate. Ours is none: as a server we take what we always do."""
REPEAT_SECONDS = 0.08
MAX_REPEATS = 6
MAX_SEEN = 16


@dataclass(frozen=True)
class CallCertificate:
    """A fresh DTLS certificate, for one call and all its sections. `fingerprint` is its SHA-256."""

    certificate: RTCCertificate
    fingerprint: bytes

    @classmethod
    def generate(cls) -> "CallCertificate":
        """Make an ECDSA P-256 key and its self-signed certificate."""
        certificate = RTCCertificate.generateCertificate()
        return cls(certificate, certificate._cert.fingerprint(hashes.SHA256()))


class Datagrams(Protocol):
    """What carries the datagrams of one association: an ICE connection, or the port of a phone.

    `heard` is set by what only the peer can have sent; `heard_media` tells whether its SRTP has come, under our keys.
    """

    heard: bool

    @property
    def heard_media(self) -> bool:
        """Whether good SRTP has come."""
        ...

    async def recv(self) -> bytes:
        """Return the next DTLS datagram; raise `ConnectionError` when there will be none."""
        ...

    async def send(self, data: bytes) -> None:
        """Send one; raise `ConnectionError` when the sockets are gone."""
        ...


class _PinnedCertificate(RTCCertificate):
    """Our certificate with the peer's fingerprint: a handshake with anybody else ends with an alert."""

    def __init__(self, own: RTCCertificate, expected: bytes, ciphers: bytes) -> None:
        super().__init__(own._key, own._cert)
        self._expected = expected
        self._ciphers = ciphers
        self.mismatched = False

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_min_proto_version(DTLS_1_2)
        context.set_cipher_list(self._ciphers)
        context.set_options(SSL.OP_NO_RENEGOTIATION)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, self._verify)
        return context

    def _verify(self, _connection: SSL.Connection, peer: Any, _error: int, depth: int, _ok: int) -> bool:
        if depth == 0:
            presented = peer.to_cryptography().fingerprint(hashes.SHA256())
            self.mismatched = not hmac.compare_digest(presented, self._expected)
        return not self.mismatched


class _Dtls(RTCDtlsTransport):
    """aiortc's, but cancelled for good: before Python 3.12 `wait_for` forgets that when a datagram comes with it."""

    async def _recv_next(self) -> None:
        await super()._recv_next()
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError


class _Link:
    """What `RTCDtlsTransport` sees of ICE; it keeps the last flight, to repeat it before OpenSSL would."""

    def __init__(self, ice: Datagrams, role: str) -> None:
        self.role = role
        self._ice = ice
        self._flight: list[bytes] = []
        self._answered = True
        self._recording = True
        self._seen: deque[bytes] = deque(maxlen=MAX_SEEN)

    async def _recv(self) -> bytes:
        data = await self._ice.recv()
        if data not in self._seen:  # what comes again shows that the peer waits, too: our flight was lost
            self._seen.append(data)
            self._answered = True
        return data

    async def _send(self, data: bytes) -> None:
        if self._recording:
            self._flight = [data] if self._answered else [*self._flight, data][-8:]
            self._answered = False
        await self._ice.send(data)

    def stop_recording(self) -> None:
        """The handshake is over: what is sent from now on is no part of a flight."""
        self._recording = False

    @property
    def waits(self) -> bool:
        """Whether nothing has come back since the last flight."""
        return bool(self._flight) and not self._answered

    async def repeat(self) -> None:
        """Send the last flight again: a record that did arrive is dropped by DTLS as a replay."""
        try:
            for data in self._flight:
                await self._ice.send(data)
        except ConnectionError:
            self._flight = []  # the sockets are gone; whoever reads from them is told


class DtlsSession:
    """One DTLS association over one ICE connection or with a phone, and the SRTP keys that come out of it.

    The SRTP sessions that aiortc makes are dropped at once: nobody else may encrypt with these keys.
    """

    def __init__(
        self,
        ice: Datagrams,
        own: CallCertificate,
        *,
        is_server: bool,
        peer_fingerprint: bytes,
        on_data: Callable[[bytes], None],
        ciphers: bytes = CIPHERS,
        peer: str = "The other node",
    ) -> None:
        self._role = "server" if is_server else "client"
        self._link = _Link(ice, "controlling" if is_server else "controlled")
        self._ice = ice
        self._certificate = _PinnedCertificate(own.certificate, peer_fingerprint, ciphers)
        self._peer = peer
        self._peer_fingerprint = peer_fingerprint
        self._on_data = on_data
        self._dtls = _Dtls(cast("RTCIceTransport", self._link), [self._certificate])
        self._dtls._set_role(self._role)
        self._dtls._register_data_receiver(self)

    async def _handle_data(self, data: bytes) -> None:
        self._ice.heard = True
        self._on_data(data)

    async def handshake(self) -> None:
        """Run the handshake; raise `MediaError` when it fails, above all with another peer than expected."""
        expected = RTCDtlsFingerprint("sha-256", self._peer_fingerprint.hex(":"))
        async with asyncio.TaskGroup() as group:
            repeating = group.create_task(self._repeat_flights())
            await self._dtls.start(RTCDtlsParameters([expected]))
            repeating.cancel()
        if self._dtls.state != "connected":
            await self._tell_why()
        if self._extended_master_secret() != 1:
            await self.aclose()
            raise MediaError(488, f"{self._peer}'s encryption lacks a safeguard (extended master secret)")
        self._dtls._rx_srtp = None  # type: ignore[assignment]
        self._dtls._tx_srtp = None  # type: ignore[assignment]
        self._link.stop_recording()

    async def _tell_why(self) -> None:
        await self._flush()
        if self._certificate.mismatched:
            raise MediaError(
                403,
                "Somebody else answered the encrypted connection: its certificate is not the announced one",
            )
        raise MediaError(488, "The encrypted connection could not be set up")

    def _extended_master_secret(self) -> int:
        return int(SSL._lib.SSL_get_extms_support(self._connection._ssl))  # type: ignore[attr-defined]

    @property
    def _connection(self) -> SSL.Connection:
        connection = self._dtls._ssl
        if connection is None:
            raise MediaError(480, "The encrypted connection is not set up")
        return connection

    async def _flush(self) -> None:
        """Let the alert out that OpenSSL has written: aiortc leaves it behind."""
        try:
            await self._dtls._write_ssl()
        except ConnectionError:
            return

    async def _repeat_flights(self) -> None:
        """Repeat a flight that nothing answers: after 80 ms, doubling, while OpenSSL waits a second."""
        delay = REPEAT_SECONDS
        while True:
            await asyncio.sleep(delay)
            if self._link.waits:
                await self._link.repeat()
                delay = min(2 * delay, 1.0)
            else:
                delay = REPEAT_SECONDS

    async def repeat_last_flight(self) -> None:
        """Repeat the server's last flight until the client shows that it has it, a few times at most."""
        delay = REPEAT_SECONDS
        for _ in range(MAX_REPEATS):
            await asyncio.sleep(delay)
            if self._role == "client" or not self._link.waits or self._ice.heard_media:
                return
            await self._link.repeat()
            delay *= 2

    @property
    def profile(self) -> str:
        """The SRTP protection profile, by OpenSSL's name."""
        return bytes(self._connection.get_selected_srtp_profile()).decode()

    @property
    def version(self) -> str:
        """The DTLS version, by OpenSSL's name."""
        return str(self._connection.get_protocol_version_name())

    @property
    def cipher(self) -> str:
        """The cipher suite, by OpenSSL's name."""
        return str(self._connection.get_cipher_name())

    def export(self, label: bytes, context: bytes, size: int) -> bytes:
        """Return exported keying material (RFC 5705), always with an explicit context."""
        return bytes(self._connection.export_keying_material(label, size, context))

    def srtp(self) -> tuple[Srtp, Srtp]:
        """Return (outbound, inbound) SRTP with the keys of this association (RFC 5764 section 4.2)."""
        name = self._connection.get_selected_srtp_profile()
        profile = next(profile for profile in SRTP_PROFILES if profile.openssl_profile == name)
        size = 2 * (profile.key_length + profile.salt_length)
        keys = self._connection.export_keying_material(b"EXTRACTOR-dtls_srtp", size)
        ours = 1 if self._role == "server" else 0
        outbound = Srtp(profile, profile.get_key_and_salt(keys, ours), outbound=True)
        return outbound, Srtp(profile, profile.get_key_and_salt(keys, 1 - ours), outbound=False)

    async def send(self, data: bytes) -> None:
        """Send application data, as one record; raise `MediaError` when the association is gone."""
        try:
            await self._dtls._send_data(data)
        except (ConnectionError, SSL.Error) as error:
            raise MediaError(480, "The encrypted connection is gone") from error

    async def ended(self) -> None:
        """Wait until the peer has closed the association, or the sockets are gone."""
        if self._dtls._task is not None:
            await asyncio.wait({self._dtls._task})

    async def aclose(self, *, quietly: bool = False) -> None:
        """Say goodbye (close_notify), or `quietly` do not, and end aiortc's data pump."""
        pump = self._dtls._task
        if pump is not None and quietly:
            pump.cancel()
        else:
            await self._dtls.stop()
        if pump is not None:
            await asyncio.wait({pump})
            if not pump.cancelled():
                pump.exception()  # looked at, so that asyncio does not report it: the watch has told it
