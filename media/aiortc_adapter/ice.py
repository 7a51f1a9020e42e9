"""ICE on aioice: own sockets on given addresses, SRTP and DTLS kept away from the STUN parser."""

# ruff: noqa: SLF001 - this package is where private seams are touched; a contract test watches them

import asyncio
import logging
import random
import secrets
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import aioice
import aioice.candidate
import aioice.ice
import aioice.stun

from media.errors import MediaError
from media.protocol.candidate import Candidate
from media.sockets import LOOP_SOCKETS, Sockets

from .demux import Address, DemuxProtocol

# aioice logs the addresses of candidates at INFO: whom we call is nobody's business.
logging.getLogger("aioice").setLevel(logging.WARNING)

MAX_LOCAL_ADDRESSES = 16
MAX_REMOTE_CANDIDATES = 64
MAX_QUEUED_DTLS = 64
EARLY_PACKETS = 128
EARLY_SECONDS = 1.0
CONSENT_SECONDS = 2.0
PROBE_SECONDS = 1.5
MAX_EARLY_CHECKS = 32
RECEIVE_BUFFER_BYTES = 1 << 20


class Credentials(NamedTuple):
    """What one side's checks of one ICE session are known by."""

    ufrag: str
    password: str

    @classmethod
    def fresh(cls) -> "Credentials":
        """Return new ones."""
        return cls(secrets.token_hex(4), secrets.token_hex(16))


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
        self._was_at: Address | None = None
        self._former: Credentials | None = None
        self._next: Credentials | None = None
        self._next_checks: deque[tuple[Any, Address, Any]] = deque(maxlen=MAX_EARLY_CHECKS)
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
        self._addresses = tuple(addresses)
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

    # -- a new session in place of the old one (RFC 8445 section 9)

    @property
    def credentials(self) -> Credentials:
        """What our side of the session is known by."""
        return Credentials(self.local_username, self.local_password)

    @property
    def next_credentials(self) -> Credentials | None:
        """What our side of the next session will be known by, while it is prepared."""
        return self._next

    def prepare_restart(self) -> Credentials:
        """Return what our side of the next session is known by; from now on its checks are answered."""
        self._next = self._next or Credentials.fresh()
        return self._next

    def restart(self, remote: Credentials, candidates: Sequence[Candidate]) -> None:
        """Begin the next session, once both sides' credentials are known; its checks go to all of `candidates`.

        Media stays on the old path until the new session has one, and the old session's checks are answered still:
        the peer may be a moment behind.
        """
        ours = self.prepare_restart()
        self._former, self._next = self.credentials, None
        self._local_username, self._local_password = ours
        self.remote_username, self.remote_password = remote
        self._remote_candidates.clear()
        self._forget(list(self._check_list))
        self.check_more(candidates)
        early = list(self._next_checks)
        self._next_checks.clear()
        for check in early:
            self.check_incoming(*check)

    def check_more(self, candidates: Sequence[Candidate]) -> None:
        """Check what is not known yet of the peer's addresses, and what did not answer before."""
        room = MAX_REMOTE_CANDIDATES // 2 - len(self._remote_candidates)
        for candidate in candidates[: max(0, room)]:
            self._add_remote_candidate(_theirs(candidate), candidate.host)
        for pair in list(self._check_list):
            if pair.state.name in ("FROZEN", "FAILED"):
                self.check_state(pair, aioice.ice.CandidatePair.State.WAITING)
                self.check_start_task(pair)

    async def probe(self) -> None:
        """Ask the peer now, by the path in use.

        Who controls names the path again, unless its address is gone: a peer that sends to where a translator has
        forgotten us follows.
        """
        pair = self._nominated.get(1)
        if pair is None or self.remote_password is None:
            return
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                request = self.build_request(pair, nominate=pair.local_candidate.host in self._addresses)
                await pair.protocol.request(request, pair.remote_addr, self.remote_password.encode())
        except (aioice.stun.TransactionError, TimeoutError):
            self.drop("consent_unanswered")

    def request_received(
        self, message: aioice.stun.Message, addr: Address, protocol: aioice.ice.StunProtocol
    ) -> None:
        """Answer a check; those of the next session wait for it, and those of the one before change nothing."""
        ufrag = str(message.attributes.get("USERNAME", "")).partition(":")[0]
        for session in (self._next, self._former):
            if session is not None and ufrag == session.ufrag:
                self._answer_beside(session, message, addr, protocol)
                return
        super().request_received(message, addr, protocol)

    def _answer_beside(
        self,
        session: Credentials,
        message: aioice.stun.Message,
        addr: Address,
        protocol: aioice.ice.StunProtocol,
    ) -> None:
        key = session.password.encode()
        is_check = message.message_method == aioice.stun.Method.BINDING and "PRIORITY" in message.attributes
        if self._closing or not is_check or not message.check_message_integrity(key):
            self.drop("bad_stun")
            return
        answer = aioice.stun.Message(
            aioice.stun.Method.BINDING, aioice.stun.Class.RESPONSE, transaction_id=message.transaction_id
        )
        answer.attributes["XOR-MAPPED-ADDRESS"] = addr
        answer.add_message_integrity(key)
        protocol.send_stun(answer, addr)
        self.heard = True
        if session is self._next:
            self._next_checks.append((message, addr, protocol))

    def candidates(self) -> tuple[Candidate, ...]:
        """Return where we can be reached."""
        return tuple(Candidate(c.foundation, c.priority, c.host, c.port) for c in self._local_candidates)

    async def add_candidates(self, candidates: Sequence[Candidate], *, complete: bool) -> None:
        """Add where the peer can be reached; may be called again, as long as it is not complete."""
        for c in candidates:
            if not self._remote_candidates_end:
                await self.add_remote_candidate(_theirs(c))
        if complete and not self._remote_candidates_end:
            await self.add_remote_candidate(None)

    def may_learn(self, address: Address) -> bool:
        """Tell whether to look at a STUN message from there: what a peer can prove is bounded."""
        return len(self._remote_candidates) < MAX_REMOTE_CANDIDATES or self._is_peer(address)

    def _is_peer(self, address: Address) -> bool:
        if address in (self._known, self._was_at):
            return True
        host, port = address
        is_path = self.path is not None and address == self.path[1]
        if is_path or any(c.port == port and c._network_host == host for c in self._remote_candidates):
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
            if self.path is not None and self.path[1] != nominated.remote_addr:
                self._was_at = self.path[1]  # what is on its way from there still counts
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
        left_out = False
        while (pair := self._nominated.get(1)) is not None:
            await asyncio.sleep(CONSENT_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load only
            self.look()
            left_out = self.heard and not left_out
            if left_out:
                continue
            assert self.remote_password is not None
            key = self.remote_password.encode()  # a new one after each restart
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
        self._check_list.clear()  # its pairs hold the sockets, and they us


def _theirs(c: Candidate) -> aioice.Candidate:
    return aioice.Candidate(c.foundation, 1, "udp", c.priority, c.host, c.port, c.kind)
