"""Between the phone leg and the mesh leg of one section: encrypt, decrypt, count. Payloads stay as they are.

Everything happens inside the call that delivers a datagram: no queue, no task, no parsing of payloads.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from .aiortc_adapter.ice import IceConnection
from .aiortc_adapter.srtp import BUFFER, DATA, MAX_PACKET_BYTES, REPLAYED, SIZE, TOO_OLD, Srtp, unpack
from .events import DirectionStatistics
from .phone_leg import PhoneLeg
from .protocol.quality import Reception, Reports
from .protocol.rtp import MAX_PACKET_BYTES as MAX_PHONE_PACKET_BYTES
from .protocol.rtp import RTP_HEADER_BYTES, is_rtcp
from .sealing import MAX_STREAMS, Sealer
from .shortcut import Shortcut
from .sockets import Flow

_NO_SSRC = b"no SSRC"
"""Longer than any, so that four bytes of a packet, or what there is of them, never equal it."""


@dataclass(slots=True)
class Gate:
    """Whether media may pass, for all sections of a call at once. `closing` is called before it closes."""

    is_open: bool = False
    closing: list[Callable[[], None]] = field(default_factory=list)

    def close(self) -> None:
        """Let nothing pass any more."""
        self.is_open = False
        for one in self.closing:
            one()


@dataclass(slots=True)
class _Counter:
    packets: int = 0
    bytes: int = 0
    rtcp_packets: int = 0

    def snapshot(self) -> DirectionStatistics:
        return DirectionStatistics(self.packets, self.bytes, self.rtcp_packets)


class Bridge:
    """Carries one section both ways, from the moment there are keys.

    Where the sockets can carry a direction by themselves they do, after its first packet; then only what is not usual
    comes here. Whatever changes what they were told ends that, and the next packet begins it again.
    `rtcp_out` gives what the peer gets of an RTCP packet of the phone, which may be nothing.
    What phones encrypt from end to end is carried as it is: its RTCP is not read, nor its SSRC changed.
    """

    def __init__(
        self,
        phone: PhoneLeg,
        ice: IceConnection,
        outbound: Srtp,
        inbound: Srtp,
        gate: Gate,
        reception: Reception | None = None,
        rtcp_out: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self._rtcp_out = rtcp_out
        self._reception = reception or Reception()
        self.reports = Reports()
        self._receive = self._reception.receive
        self.dropped: dict[str, int] = {}
        self._phone = phone
        self._ice = ice
        self._outbound = outbound
        self._inbound = inbound
        self._protect = outbound.rtp
        self._unprotect = inbound.rtp
        self._gate = gate
        self._sealer = Sealer(outbound, self._drop)
        self._in_streams: set[bytes] = set()
        self._usual_out = self._usual_in = _NO_SSRC  # the SSRC of the last packet that went through unchanged
        self._to_mesh = _Counter()
        self._to_phone = _Counter()
        self._outward = Shortcut()
        self._inward = Shortcut()

    @property
    def reception(self) -> Reception:
        """What has come from the peer."""
        self._inward.look()
        return self._reception

    @property
    def to_mesh(self) -> DirectionStatistics:
        """What the phone has sent through."""
        self._outward.look()
        return self._to_mesh.snapshot()

    @property
    def to_phone(self) -> DirectionStatistics:
        """What the peer has sent through."""
        self._inward.look()
        return self._to_phone.snapshot()

    def start(self) -> None:
        """Join the two legs."""
        self._phone.changed = self._ice.changed = self._end_shortcuts
        self._phone.look, self._ice.look = self._outward.look, self._inward.look
        self._gate.closing.append(self._end_shortcuts)
        self._phone.sink = self.from_phone
        self._ice.open_srtp(self.from_mesh)

    def _drop(self, cause: str) -> None:
        self.dropped[cause] = self.dropped.get(cause, 0) + 1

    def from_phone(self, packet: bytes) -> None:
        """Encrypt one RTP or RTCP packet (checked by the phone leg) and send it.

        This and `from_mesh` are the node's busiest lines: RTP of a known SSRC takes no call that it does not need.
        """
        path = self._ice.path
        if path and packet[8:12] == self._usual_out and not 192 <= packet[1] <= 223 and self._gate.is_open:
            BUFFER[: len(packet)] = packet
            SIZE[0] = size = len(packet)
            if self._protect() == 0:
                self._sealer.replays = 0
                path[0](unpack(DATA, SIZE[0]), path[1])
                count = self._to_mesh
                count.packets += 1
                count.bytes += size
                return
        self._other_from_phone(packet)

    def _end_shortcuts(self) -> None:
        self._outward.end()
        self._inward.end()

    def _other_from_phone(self, packet: bytes) -> None:
        went = self._outward.end()  # from here on the session is ours
        if not self._gate.is_open:
            self._drop("muted_to_mesh")
            return
        is_opaque = self._phone.is_end_to_end
        if is_rtcp(packet) and not is_opaque and not (packet := self._rtcp_out(packet)):
            self._drop("nameless")
            return
        sealed = self._sealer.seal_as_it_is(packet) if is_opaque else self._sealer.seal(packet)
        is_remapped = bool(self._sealer.remapped)
        if is_remapped:
            self._usual_out = _NO_SSRC
        if sealed is None:
            return
        rtcp = is_rtcp(packet)
        self._ice.send_srtp(sealed)
        if rtcp and not is_opaque:
            self.reports.send(packet, monotonic())
        self._count(self._to_mesh, packet, rtcp=rtcp)
        usual = packet[8:12] if not rtcp else went
        if usual is not None and not is_remapped:
            self._usual_out = _NO_SSRC if self._shorten_outward(usual) else usual

    def _shorten_outward(self, ssrc: bytes) -> bool:
        source, path, out = self._phone.usual_source, self._ice.path, self._ice.carrier
        if source is None or path is None or out is None:
            return False
        return self._outward.begin(
            self._phone.carrier,
            Flow(
                ssrc=ssrc,
                source=source,
                out=out,
                destination=path[1],
                crypt=self._outbound.crypt,
                session=self._outbound.handle,
                max_size=MAX_PHONE_PACKET_BYTES,
                passed=self._passed_to_mesh,
            ),
        )

    def _passed_to_mesh(self, packets: int, size: int, unsent: int, heard_at: float) -> None:
        self._to_mesh.packets += packets
        self._to_mesh.bytes += size
        self._unsent(unsent)
        self._phone.was_heard(heard_at)

    def from_mesh(self, datagram: bytes) -> None:
        """Decrypt one SRTP or SRTCP datagram for the phone; forged and replayed ones are dropped."""
        path = self._phone.path
        if (
            path
            and datagram[8:12] == self._usual_in
            and not 192 <= datagram[1] <= 223
            and len(datagram) <= MAX_PACKET_BYTES
            and self._gate.is_open
        ):
            BUFFER[: len(datagram)] = datagram
            SIZE[0] = len(datagram)
            if self._unprotect() == 0:
                self._ice.heard = True
                size = SIZE[0]
                path[0](unpack(DATA, size), path[1])
                count = self._to_phone
                count.packets += 1
                count.bytes += size
                self._receive(datagram, monotonic())
                return
        self._other_from_mesh(datagram)

    def _other_from_mesh(self, datagram: bytes) -> None:
        went = self._inward.end()
        if not RTP_HEADER_BYTES <= len(datagram) <= MAX_PACKET_BYTES:
            self._drop("mesh_wrong_size")
            return
        rtcp = is_rtcp(datagram)
        ssrc = datagram[4:8] if rtcp else datagram[8:12]
        if ssrc not in self._in_streams and len(self._in_streams) >= MAX_STREAMS:
            self._drop("too_many_streams")
            return
        packet = self._inbound.process(datagram)
        if packet is None:
            self._drop("mesh_replayed" if self._inbound.status in (REPLAYED, TOO_OLD) else "mesh_forged")
            return
        self._in_streams.add(ssrc)
        self._ice.heard = self._ice.heard_media = True
        if not self._gate.is_open:
            self._drop("muted_to_phone")
            return
        if not rtcp:
            self._receive(packet, monotonic())
        elif not self._phone.is_end_to_end:  # else it is the phones' own SRTCP, which says nothing to us
            packet = self._sealer.restored(packet)
            self.reports.receive(packet, monotonic())
        self._phone.send(packet)
        self._count(self._to_phone, packet, rtcp=rtcp)
        usual = ssrc if not rtcp else went
        if usual is not None:
            self._usual_in = _NO_SSRC if self._shorten_inward(usual) else usual

    def _shorten_inward(self, ssrc: bytes) -> bool:
        source, path, arriving = self._ice.usual_source, self._phone.path, self._ice.carrier
        if source is None or path is None:
            return False
        return self._inward.begin(
            arriving,
            Flow(
                ssrc=ssrc,
                source=source,
                out=self._phone.carrier,
                destination=path[1],
                crypt=self._inbound.crypt,
                session=self._inbound.handle,
                max_size=MAX_PACKET_BYTES,
                passed=self._passed_to_phone,
                reception=self._reception,
            ),
        )

    def _passed_to_phone(self, packets: int, size: int, unsent: int, _heard_at: float) -> None:
        self._to_phone.packets += packets
        self._to_phone.bytes += size
        self._unsent(unsent)
        self._ice.heard = self._ice.heard or packets > 0

    def _unsent(self, packets: int) -> None:
        if packets:
            self.dropped["unsent"] = self.dropped.get("unsent", 0) + packets

    @staticmethod
    def _count(counter: _Counter, packet: bytes, *, rtcp: bool) -> None:
        if rtcp:
            counter.rtcp_packets += 1
        else:
            counter.packets += 1
            counter.bytes += len(packet)
