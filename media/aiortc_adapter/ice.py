"""ICE on aioice: own sockets on given addresses, SRTP and DTLS kept away from the STUN parser."""

# ruff: noqa: SLF001 - this package is where private seams are touched; a contract test watches them

import asyncio
import logging
import random
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import aioice
import aioice.candidate
import aioice.ice
import aioice.stun

from media.errors import MediaError
from media.protocol.candidate import Candidate
from media.protocol.rtp import is_dtls, is_srtp, is_stun
from media.sockets import LOOP_SOCKETS, Sockets

# aioice logs the addresses of candidates at INFO: whom we call is nobody's business.
logging.getLogger("aioice").setLevel(logging.WARNING)

Address = tuple[str, int]

MAX_LOCAL_ADDRESSES = 16
MAX_REMOTE_CANDIDATES = 64
MAX_QUEUED_DTLS = 64
EARLY_PACKETS = 128
EARLY_SECONDS = 1.0
CONSENT_SECONDS = 2.0
EARLY_REPEATS = (0.08, 0.2, 0.35, 0.8)
RECEIVE_BUFFER_BYTES = 1 << 20

# What a hostile STUN message can raise out of aioice's parser and of its handling of a request.
_STUN_ERRORS = (ValueError, LookupError, struct.error, AssertionError, TypeError, OverflowError)


class DemuxProtocol(aioice.ice.StunProtocol):
    """One ICE socket: SRTP and DTLS are told from STUN by their first byte, before anything is parsed."""

    receiver: "IceConnection"

    def datagram_received(self, data: Any, addr: tuple[Any, ...]) -> None:
        """Pass a datagram on by its first byte (RFC 7983); what is malformed is counted and dropped."""
        ice = self.receiver
        sink = ice._on_srtp
        if sink and data and addr == ice._known and 127 < data[0] < 192:
            sink(data)  # nearly all that comes, with no call more than it takes
            return
        if not data or isinstance(data, str):
            ice.drop("empty")
            return
        first = data[0]
        if is_srtp(first):
            ice.srtp_received(data, (addr[0], addr[1]))
        elif is_dtls(first):
            ice.dtls_received(data, (addr[0], addr[1]))
        elif is_stun(first):
            self._stun_received(data, addr)
        else:
            ice.drop("not_media")

    def _stun_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        ice = self.receiver
        if not ice.may_learn((addr[0], addr[1])):
            ice.drop("too_many_candidates")
            return
        try:
            super().datagram_received(data, addr)
        except _STUN_ERRORS:
            ice.drop("bad_stun")

    async def request(
        self,
        request: aioice.stun.Message,
        addr: Address,
        integrity_key: bytes | None = None,
        retransmissions: int | None = None,
    ) -> tuple[aioice.stun.Message, Address]:
        """Ask, and note that the peer has answered: aioice lets only responses with integrity through.

        A check (whose number of repeats is left to aioice) is repeated early a few times: aioice waits half a second,
        and on a wire that loses a tenth every fifth check goes unanswered. It is the same request, answered the same.
        """
        later = asyncio.get_running_loop().call_later
        delays = EARLY_REPEATS if retransmissions is None else ()
        repeats = [later(delay, self.send_stun, request, addr) for delay in delays]
        try:
            answer = await super().request(request, addr, integrity_key, retransmissions)
        finally:
            for repeat in repeats:
                repeat.cancel()
        self.receiver.heard = True
        return answer


class IceConnection(aioice.Connection):
    """One ICE component on the given local addresses, without any server, with SRTP on a path of its own.

    `heard` is set by all that only the peer can have sent, `heard_media` by its first good SRTP packet.
    The sink of `open_srtp` gets each SRTP datagram from an address that the peer named or proved; what comes
    before there are keys is held for a second. `path` is how and where SRTP goes out, `carrier` the socket of it;
    `changed` is called when that is no longer so, `look` before it matters whether the peer was heard.
    """

    # aioice's own attributes are more than Python keeps in the quick way: these are looked at for each packet.
    __slots__ = ("_known", "_on_srtp", "heard", "heard_media", "path")

    def __init__(
        self,
        *,
        controlling: bool,
        addresses: Sequence[str],
        ufrag: str,
        password: str,
        sockets: Sockets = LOOP_SOCKETS,
    ) -> None:
        super().__init__(ice_controlling=controlling, local_username=ufrag, local_password=password)
        self.heard = False
        self.heard_media = False
        self.dropped: dict[str, int] = {}
        self.changed: Callable[[], object] = lambda: None
        self.look: Callable[[], object] = lambda: None
        self.carrier: asyncio.DatagramTransport | None = None
        self._open_socket = sockets.open
        self._addresses = tuple(addresses)[:MAX_LOCAL_ADDRESSES]
        self._bound = len(self._addresses)
        self._on_srtp: Callable[[bytes], None] | None = None
        self._early: deque[tuple[float, bytes]] = deque(maxlen=EARLY_PACKETS)
        self._known: Address | None = None
        self.path: tuple[Callable[[bytes, Address], None], Address] | None = None

    def drop(self, cause: str) -> None:
        """Count a datagram that goes nowhere."""
        self.dropped[cause] = self.dropped.get(cause, 0) + 1

    async def gather_candidates(self) -> None:
        """Bind a port on each address that we were given; raise `MediaError` when none can be had."""
        self._local_candidates_start = True
        for number, address in enumerate(self._addresses, start=1):
            await self._bind(address, number)
        if not self._protocols:
            raise MediaError(503, "This node has no network address for the call")
        self._local_candidates_end = True

    async def _bind(self, address: str, number: int) -> DemuxProtocol | None:
        """Open a socket on one of our addresses; None where that is not to be had."""
        try:
            transport, protocol = await self._open_socket(lambda: DemuxProtocol(self), (address, 0))
        except OSError:
            self.drop("no_such_address")
            return None
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        host, port = transport.get_extra_info("sockname")[:2]
        preference = 65_535 - number
        priority = aioice.candidate.candidate_priority(1, "host", preference)
        protocol.local_candidate = aioice.Candidate(str(number), 1, "udp", priority, host, port, "host")
        self._protocols.append(protocol)
        self._local_candidates.append(protocol.local_candidate)
        return protocol

    async def move(self, addresses: Sequence[str]) -> None:
        """Go on from the addresses that this machine has now, with the same credentials, once connected.

        Checks from the new sockets go to all that is known of the peer; the old path serves until one is answered.
        The peer learns the new address from the check (RFC 8445 section 7.3.1.3) and checks it before it sends there.
        """
        if self._closing or not self._nominated:
            return
        await self._leave(set(addresses))
        standing = {candidate.host for candidate in self._local_candidates}
        for address in addresses:
            if address in standing or len(self._protocols) >= MAX_LOCAL_ADDRESSES:
                continue
            self._bound += 1
            protocol = await self._bind(address, self._bound)
            if protocol is not None and not self._closing:
                self._check_from(protocol)
        if all(pair.local_candidate.host not in addresses for pair in self._nominated.values()):
            for standing_one in self._protocols:
                if standing_one.local_candidate.host in standing & set(addresses):
                    self._check_from(standing_one)

    async def _leave(self, addresses: set[str]) -> None:
        """Close sockets on addresses that are gone, all but the one in use: a new path has to come first."""
        used = {pair.protocol for pair in self._nominated.values()}
        for protocol in list(self._protocols):
            if protocol in used or protocol.local_candidate.host in addresses:
                continue
            self._protocols.remove(protocol)
            self._local_candidates.remove(protocol.local_candidate)
            self._forget([pair for pair in self._check_list if pair.protocol is protocol])
            await protocol.close()

    def _forget(self, pairs: Sequence[aioice.ice.CandidatePair]) -> None:
        for pair in pairs:
            self._check_list.remove(pair)
            if pair.task is not None:
                pair.task.cancel()

    def _check_from(self, protocol: aioice.ice.StunProtocol) -> None:
        self._forget([pair for pair in self._check_list if pair.protocol is protocol])
        for candidate in list(self._remote_candidates):
            if protocol.local_candidate.can_pair_with(candidate):
                pair = aioice.ice.CandidatePair(protocol, candidate)
                pair.state = aioice.ice.CandidatePair.State.WAITING
                self._check_list.append(pair)
                self.check_start_task(pair)

    def _forget_former(self, used: Address) -> None:
        """Forget where a peer that moves often has been, so that it may go on moving."""
        if len(self._remote_candidates) <= MAX_REMOTE_CANDIDATES // 2:
            return
        gone = [c for c in self._remote_candidates if c.type == "prflx" and (c._network_host, c.port) != used]
        for candidate in gone:
            self._remote_candidates.remove(candidate)
        self._forget([pair for pair in self._check_list if pair.remote_candidate in gone])

    def candidates(self) -> tuple[Candidate, ...]:
        """Return where we can be reached."""
        return tuple(Candidate(c.foundation, c.priority, c.host, c.port) for c in self._local_candidates)

    async def add_candidates(self, candidates: Sequence[Candidate], *, complete: bool) -> None:
        """Add where the peer can be reached; may be called again, as long as it is not complete."""
        for c in candidates:
            if not self._remote_candidates_end:
                theirs = aioice.Candidate(c.foundation, 1, "udp", c.priority, c.host, c.port, c.kind)
                await self.add_remote_candidate(theirs)
        if complete and not self._remote_candidates_end:
            await self.add_remote_candidate(None)

    def may_learn(self, address: Address) -> bool:
        """Tell whether to look at a STUN message from there: what a peer can prove is bounded."""
        return len(self._remote_candidates) < MAX_REMOTE_CANDIDATES or self._is_peer(address)

    def _is_peer(self, address: Address) -> bool:
        if address == self._known:
            return True
        host, port = address
        if any(c.port == port and c._network_host == host for c in self._remote_candidates):
            self._known = address
            return True
        return False

    def dtls_received(self, data: bytes, address: Address) -> None:
        """Queue a DTLS datagram for the handshake or the data pump, bounded."""
        if not self._is_peer(address):
            self.drop("stranger")
        elif self._queue.qsize() >= MAX_QUEUED_DTLS:
            self.drop("dtls_flood")
        else:
            self._queue.put_nowait((data, 1))

    def srtp_received(self, data: bytes, address: Address) -> None:
        """Pass an SRTP datagram on at once, or hold it until there are keys."""
        if address != self._known and not self._is_peer(address):
            self.drop("stranger")
        elif self._on_srtp is not None:
            self._on_srtp(data)
        else:
            self._early.append((asyncio.get_running_loop().time(), data))

    def open_srtp(self, sink: Callable[[bytes], None]) -> None:
        """From now on SRTP goes to `sink`; first what came in the last second."""
        since = asyncio.get_running_loop().time() - EARLY_SECONDS
        held = [data for at, data in self._early if at >= since]
        self._early.clear()
        self._on_srtp = sink
        for data in held:
            sink(data)

    def data_received(self, data: bytes, component: int) -> None:  # noqa: ARG002 - aioice's signature
        """Drop what aioice took for data, since it did not parse as STUN."""
        self.drop("bad_stun")

    def check_incoming(
        self, message: aioice.stun.Message, addr: Address, protocol: aioice.ice.StunProtocol
    ) -> None:
        """Note that the peer is alive: only authenticated checks come here."""
        self.heard = True
        super().check_incoming(message, addr, protocol)

    def check_complete(self, pair: aioice.ice.CandidatePair) -> None:
        """Follow the nominated pair."""
        super().check_complete(pair)
        nominated = self._nominated.get(1)
        if nominated is not None:
            self.changed()
            self.carrier = nominated.protocol.transport
            self.path = nominated.protocol.transport.sendto, nominated.remote_addr
            self._forget_former(nominated.remote_addr)

    @property
    def usual_source(self) -> Address | None:
        """Where SRTP comes from that is taken without a second look."""
        return self._known

    def send_srtp(self, packet: bytes) -> None:
        """Send an encrypted packet on the nominated pair; before there is one, drop it."""
        if self.path is not None:
            self.path[0](packet, self.path[1])

    async def query_consent(self) -> None:
        """Ask the peer for consent (RFC 7675), more often than aioice: our watch gives up after 10 s.

        While the peer is heard every second check is left out: that is RFC 7675's own rate, and checks are what a
        call costs most after its packets.
        """
        assert self.remote_password is not None
        key = self.remote_password.encode()
        left_out = False
        while (pair := self._nominated.get(1)) is not None:
            await asyncio.sleep(CONSENT_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load only
            self.look()
            left_out = self.heard and not left_out
            if left_out:
                continue
            try:
                await pair.protocol.request(
                    self.build_request(pair, nominate=False), pair.remote_addr, key, 1
                )
            except aioice.stun.TransactionError:
                self.drop("consent_unanswered")

    async def close(self) -> None:
        """Close all sockets; nothing is passed on any more."""
        self.changed()
        self.path = self._on_srtp = self.carrier = None
        self._early.clear()
        await super().close()
