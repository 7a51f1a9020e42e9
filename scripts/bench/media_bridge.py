"""Measure one bridged call on loopback: time to keyed and to confirmed media, latency added by the two nodes.

Two nodes in one process. The phones are blocking sockets in a thread of their own, so that their clock reads
are not the nodes' work. Each packet crosses phone, node, node, phone; one straight from phone to phone is the
base. Run: python -m scripts.bench.media_bridge [--packets N] [--uvloop]
"""

import argparse
import asyncio
import json
import socket
import statistics
import struct
import time
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from media.call_media import CallMedia, Parties
from media.events import MediaConnected, MediaEvent, Secured

LOOPBACK = "127.0.0.1"


class Endorser:
    """Ed25519 in place of OpenPGP: the bench measures the media."""

    def __init__(self, own: Ed25519PrivateKey, peer: Ed25519PublicKey) -> None:
        self._own, self._peer = own, peer

    async def sign(self, statement: bytes) -> bytes:
        return self._own.sign(statement)

    async def verify(self, statement: bytes, signature: bytes) -> bool:
        try:
            self._peer.verify(signature, statement)
        except InvalidSignature:
            return False
        return True


def phone() -> socket.socket:
    """Return a bound UDP socket."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind((LOOPBACK, 0))
    bound.settimeout(1)
    return bound


def sdp(port: int) -> bytes:
    """Return a phone's description."""
    head = f"v=0\r\no=- 1 1 IN IP4 {LOOPBACK}\r\ns=-\r\nc=IN IP4 {LOOPBACK}\r\nt=0 0\r\n"
    return (head + f"m=audio {port} RTP/AVP 0\r\n").encode()


def media_port(description: bytes) -> int:
    """Return the port of the first section."""
    return int(description.split(b"m=audio ")[1].split(b" ")[0])


def send_paced(
    sender: socket.socket, to: tuple[str, int], receiver: socket.socket, packets: int
) -> list[float]:
    """Send packets 2 ms apart; return the microseconds from send to receipt of each that arrived."""
    took = []
    for number in range(packets):
        packet = struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, number * 160, 7) + bytes(160)
        begun = time.perf_counter()
        sender.sendto(packet, to)
        try:
            receiver.recv(2_048)
        except TimeoutError:
            continue
        took.append((time.perf_counter() - begun) * 1e6)
        time.sleep(0.002)  # noqa: TID251 - in a thread of its own
    return took


class Told:
    """The events of one side, with the time of each."""

    def __init__(self) -> None:
        self.secured = asyncio.Event()
        self.at: dict[str, float] = {}
        self.setup_ms = 0.0

    def __call__(self, event: MediaEvent) -> None:
        self.at[type(event).__name__] = time.perf_counter()
        if isinstance(event, MediaConnected):
            self.setup_ms = event.setup_ms
        if isinstance(event, Secured):
            self.secured.set()


async def one_call(packets: int) -> dict[str, Any]:
    """Set one call up, send the packets, return the figures."""
    first, second = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    told = Told(), Told()
    common: dict[str, Any] = {
        "call_id": "bench",
        "parties": Parties("A" * 40, "B" * 40, b"a" * 20, b"b" * 20),
        "phone_host": LOOPBACK,
        "phone_allowed": frozenset({LOOPBACK}),
        "mesh_addresses": (LOOPBACK,),
        "early": True,
        "mute_until_confirmed": True,
    }
    begun = time.perf_counter()
    caller = CallMedia(
        role="caller", endorser=Endorser(first, second.public_key()), on_event=told[0], **common
    )
    callee = CallMedia(
        role="callee", endorser=Endorser(second, first.public_key()), on_event=told[1], **common
    )
    alice, bob = phone(), phone()
    figures: dict[str, Any] = {}
    async with asyncio.TaskGroup() as group:
        group.create_task(caller.run())
        group.create_task(callee.run())
        offer = await caller.offer_from_phone(sdp(alice.getsockname()[1]))
        await callee.offer_from_mesh(offer)
        fragment = callee.transport_fragment()
        assert fragment is not None
        await caller.transport_from_mesh(fragment)
        for one in told:
            await one.secured.wait()
        figures["keyed_ms"] = (max(one.at["MediaConnected"] for one in told) - begun) * 1e3
        figures["confirmed_ms"] = (max(one.at["Secured"] for one in told) - begun) * 1e3
        answer = await caller.answer_from_mesh(await callee.answer_from_phone(sdp(bob.getsockname()[1])))
        to = (LOOPBACK, media_port(answer))
        base = await asyncio.to_thread(send_paced, alice, bob.getsockname(), bob, packets)
        took = await asyncio.to_thread(send_paced, alice, to, bob, packets)
        figures["lost"] = packets - len(took)
        figures["base_us"], figures["bridged_us"] = spread(base), spread(took)
        figures["added_us"] = {
            name: round(figures["bridged_us"][name] - figures["base_us"][name], 1) for name in ("p50", "p99")
        }
        await caller.aclose()
        await callee.aclose()
    alice.close()
    bob.close()
    return figures


def spread(values: list[float]) -> dict[str, float]:
    """Return the median and the 99th percentile."""
    cuts = statistics.quantiles(values, n=100)
    return {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1)}


async def bench(calls: int, packets: int) -> dict[str, Any]:
    """Measure set-up over several calls, latency on the last."""
    all_figures = [await one_call(200) for _ in range(calls)]
    figures = await one_call(packets)
    for name in ("keyed_ms", "confirmed_ms"):
        figures[name] = round(statistics.median(one[name] for one in [*all_figures, figures]), 2)
    return figures


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packets", type=int, default=2_000)
    parser.add_argument("--calls", type=int, default=10)
    parser.add_argument("--uvloop", action="store_true")
    options = parser.parse_args()
    factory = None
    if options.uvloop:
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        print(json.dumps(runner.run(bench(options.calls, options.packets)), indent=2))


if __name__ == "__main__":
    main()
