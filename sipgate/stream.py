"""SIP over TCP and TLS: one connection, its framing, and the clocks that end it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from .protocol.errors import SipError
from .protocol.framing import PING, PONG, Ping, StreamFramer
from .tls import check_domain, check_node_key
from .transport import Address, FlowSide, Owner, TransportError, TransportLimits, TransportName

_SHORTEST_PARTIAL = 4  # less may be line breaks between messages: a pong, or half a ping


class StreamFlow(asyncio.Protocol):
    """One connection, accepted or made.

    It ends when nothing comes for `idle_timeout`, when a message that was begun is not finished in
    `message_timeout`, when an accepted one brings no message in `first_message_timeout`, when the other side
    does not read what we write, and when it brings anything but SIP. With `node_public_key` it exists only if
    the other side has that key, and is kept alive with pings that must be answered; with `domain`, only if its
    certificate is for that SIP domain. Whoever comes over TLS is a node, unless `side` says something else.
    A phone that has promised to be heard of all the time (`expect_pings`) is gone when it is not.
    """

    def __init__(
        self,
        owner: Owner,
        transport: TransportName,
        limits: TransportLimits,
        *,
        accepted: bool,
        node_public_key: bytes | None = None,
        domain: str | None = None,
        side: FlowSide | None = None,
        is_anonymous: bool = False,
    ) -> None:
        self.is_anonymous = is_anonymous
        self._owner = owner
        self._limits = limits
        self._accepted = accepted
        self._framer = StreamFramer()
        self._stream: asyncio.Transport | None = None
        self._closed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._last_message = self._last_data = self._opened = 0.0
        self._partial_since: float | None = None
        self._pinged_at: float | None = None
        self._longest_silence: float | None = None
        self._spoke = False
        self.transport: TransportName = transport
        self.side: FlowSide = side or ("mesh" if transport == "tls" and domain is None else "phone")
        self.node_public_key = node_public_key
        self._domain = domain
        self.local: Address = ("", 0)
        self.remote: Address = ("", 0)
        self.refused: TransportError | None = None

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._stream is None or self._stream.is_closing()

    @property
    def silence(self) -> float:
        """For how many seconds nothing has come."""
        return self._now() - self._last_data

    async def closed(self) -> None:
        """Wait until the connection is gone."""
        await self._closed.wait()

    def send(self, data: bytes) -> None:
        """Send one message; raise `TransportError` when the connection is gone or nobody reads it."""
        if self._stream is None or self._stream.is_closing():
            raise TransportError("the connection is closed")
        self._stream.write(data)
        if self._stream.get_write_buffer_size() > self._limits.write_buffer_bytes:
            self.abort()
            raise TransportError("the other side does not read")

    def expect_pings(self, seconds: float) -> None:
        """From now on end the connection when nothing at all comes for so long."""
        self._longest_silence = seconds
        self._watch()

    def close(self) -> None:
        """Send what is waiting, then close."""
        if self._stream is not None:
            self._stream.close()

    def abort(self) -> None:
        """Close at once."""
        if self._stream is not None:
            self._stream.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: connected, and the TLS handshake is done."""
        stream = cast("asyncio.Transport", transport)
        try:
            self._check(stream)
        except TransportError as error:
            self.refused = error
            stream.abort()
            return
        self._stream = stream
        self.local = stream.get_extra_info("sockname", ("", 0))[:2]
        self.remote = stream.get_extra_info("peername", ("", 0))[:2]
        self._last_message = self._last_data = self._opened = self._now()
        self._watch()

    def _check(self, stream: asyncio.Transport) -> None:
        """Raise `TransportError` when the other side is not who it must be."""
        if self.node_public_key is not None:
            check_node_key(_certificate(stream), self.node_public_key)
        elif self._domain is not None:
            check_domain(_certificate(stream), self._domain)

    def data_received(self, data: bytes) -> None:
        """Asyncio: bytes came."""
        if self.refused is not None or self._stream is None or self._stream.is_closing():
            return
        self._last_data = self._now()
        self._pinged_at = None
        try:
            frames = self._framer.feed(data)
        except SipError as error:
            self._owner.malformed_received(error, self)
            self.close()
            return
        for frame in frames:
            self._take(frame)
        self._note_progress(made=bool(frames))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Asyncio: the connection is gone."""
        if self._timer is not None:
            self._timer.cancel()
        self._stream = None
        self._closed.set()
        self._owner.flow_closed(self)

    def _take(self, frame: bytes | Ping) -> None:
        if isinstance(frame, Ping):
            self._pong()
            return
        self._spoke = True
        self._last_message = self._now()
        self._owner.data_received(frame, self)

    def _pong(self) -> None:
        if self._stream is not None and not self._stream.is_closing():
            self._stream.write(PONG)

    # The clocks. One timer looks at all of them.

    def _note_progress(self, *, made: bool) -> None:
        if self._framer.pending < _SHORTEST_PARTIAL:
            self._partial_since = None
        elif made or self._partial_since is None:
            self._partial_since = self._now()
            self._watch()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _deadlines(self) -> list[tuple[float, Callable[[], None]]]:
        limits = self._limits
        found: list[tuple[float, Callable[[], None]]] = [
            (self._last_message + limits.idle_timeout, self.close)
        ]
        if self._accepted and not self._spoke:
            found.append((self._opened + limits.first_message_timeout, self.abort))
        if self._longest_silence is not None:
            found.append((self._last_data + self._longest_silence, self.abort))
        if self._partial_since is not None:
            found.append((self._partial_since + limits.message_timeout, self.abort))
        if self._pinged_at is not None:
            found.append((self._pinged_at + limits.pong_timeout, self.abort))
        elif self.node_public_key is not None:
            found.append((self._last_data + limits.ping_interval, self._ping))
        return found

    def _watch(self) -> None:
        """Do what is due, and set the timer to what comes next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._now()
        for deadline, act in self._deadlines():
            if deadline <= now:
                act()
        if not self.is_closed:
            soonest = min(deadline for deadline, _ in self._deadlines())
            self._timer = asyncio.get_running_loop().call_at(soonest, self._watch)

    def _ping(self) -> None:
        if self._stream is not None:
            self._stream.write(PING)
            self._pinged_at = self._now()


def _certificate(stream: asyncio.Transport) -> bytes | None:
    tls: ssl.SSLObject | None = stream.get_extra_info("ssl_object")
    return None if tls is None else tls.getpeercert(binary_form=True)
