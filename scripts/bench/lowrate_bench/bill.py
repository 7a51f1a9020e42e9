"""What one direction of a call has cost on the wire, by kind, in bytes of IP packets with all headers."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.kit.capture import Capture
from tests.kit.nodes import MESH_PORT
from tests.kit.packets import Packet, kind_of_datagram, rtp_payload

TLS = "tls"
OF_THE_CALL = ("stun", "dtls", TLS, "other")
"""Whole packets that are ours: consent, what node tells node, SIP, and what should not be there."""


@dataclass(frozen=True)
class Window:
    """The time that is looked at, in Unix seconds."""

    begin: float
    end: float

    def of(self, packets: Iterable[Packet]) -> Iterator[Packet]:
        """Yield the packets of that time."""
        return (packet for packet in packets if self.begin <= packet.at < self.end)


@dataclass(frozen=True)
class Side:
    """One host: its end of the wire, and where its phone's RTP is seen.

    `address` and `ports` are the phone's own, for RTP and RTCP.
    """

    host_address: str
    wire: Capture
    phone: Capture
    address: str
    ports: range

    def sent(self, window: Window) -> list[Packet]:
        """What the host has put on the wire."""
        return [p for p in window.of(self.wire.packets) if p.source[0] == self.host_address]

    def spoken(self, window: Window) -> list[Packet]:
        """RTP and RTCP that the phone has sent."""
        return [packet for packet in window.of(self.phone.packets) if self._is_its(packet.source)]

    def heard(self, window: Window) -> list[Packet]:
        """RTP that was sent to the phone and came there."""
        there = (packet for packet in window.of(self.phone.packets) if self._is_its(packet.destination))
        return [packet for packet in there if rtp_payload(packet.payload) is not None]

    def _is_its(self, end: tuple[str, int]) -> bool:
        return end[0] == self.address and end[1] in self.ports


@dataclass(frozen=True)
class Bill:
    """Bytes of one direction: `payload` is the codec's, `headers` are IP, UDP, RTP and RTCP as without nodes.

    `tags` is what SRTP adds to the phones' packets, `ours` the rest of the call by kind, `mesh` the node's part in
    the DHT, call or no call. `lost` is the share of the phone's packets that the far phone was not given.
    """

    seconds: float
    payload: int
    headers: int
    tags: int
    ours: Counter[str]
    mesh: int
    packets: int
    lost: float

    @classmethod
    def of(cls, near: Side, far: Side, window: Window) -> "Bill":
        """Count what went from the near host to the far one."""
        spoken, kinds, carried = near.spoken(window), Counter[str](), 0
        voices = [voice for packet in spoken if (voice := rtp_payload(packet.payload)) is not None]
        for packet in near.sent(window):
            kind = TLS if packet.protocol == "tcp" else kind_of_datagram(packet, {MESH_PORT})
            kinds[kind] += packet.size
            carried += len(packet.payload) if kind == "srtp" else 0
        payload, plain = sum(map(len, voices)), sum(len(packet.payload) for packet in spoken)
        return cls(
            seconds=window.end - window.begin,
            payload=payload,
            headers=kinds["srtp"] - carried + plain - payload,
            tags=carried - plain,
            ours=Counter({kind: kinds[kind] for kind in OF_THE_CALL}),
            mesh=kinds["dht"],
            packets=len(voices),
            lost=1 - len(far.heard(window)) / max(1, len(voices)),
        )

    @property
    def overhead(self) -> int:
        """All that is ours in the call."""
        return self.tags + self.ours.total()

    @property
    def total(self) -> int:
        """All that the host has sent."""
        return self.payload + self.headers + self.overhead + self.mesh

    def kilobits(self, count: int) -> float:
        """Return kb/s."""
        return count * 8 / 1000 / self.seconds

    def percent(self, count: int) -> float:
        """Return the share of the payload, in percent."""
        return 100 * count / max(1, self.payload)
