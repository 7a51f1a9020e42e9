"""From INVITE to 180, phone to phone: through two real nodes that know each other's names, beside Kamailio.

The phones are two blocking sockets in one thread. What the callee's phone takes to say 180 is left out, and what the
caller's takes to write the INVITE and to read the answer: all of the time is the nodes', or the proxy's.
"""

import asyncio
import socket
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from scripts.bench.report import OURS, Figure, percentile
from sipgate.protocol.message import Request, Response, parse_message, reply
from sipgate.protocol.request_copies import ack_of_failure
from tests.kit.nodes import DataDirectory, Node
from tests.kit.sip_phone import SDP, SipPhone

from . import systems

SECTION = "delay"
TARGET_MS = 10
PATIENCE = 5.0
SWITCH = 0.0002  # seconds; the thread of the phones waits no longer for the one that reads the nodes' events
PEER = "Kamailio is one proxy, without TLS, media, names to look up or keys to check"


class BlockingPhone(SipPhone):
    """A phone that waits for each message, and does nothing else meanwhile."""

    def __init__(self, user: str, server: int, secret: str = "") -> None:
        super().__init__(user, server, secret=secret)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((systems.HOST, 0))
        self.socket.settimeout(PATIENCE)
        self.socket.connect((systems.HOST, server))
        self.port = self.socket.getsockname()[1]
        self._sent = 0
        self.told_at = self.heard_at = 0.0

    def tell(self, message: Request | Response) -> None:
        """Send a message; a request without a Via gets one."""
        if isinstance(message, Request) and "Via" not in message.headers:
            self._sent += 1
            branch = f"z9hG4bK{self.user}{self.port}-{self._sent}"
            message.headers.prepend("Via", f"SIP/2.0/UDP {systems.HOST}:{self.port};branch={branch};rport")
        data = bytes(message)
        self.told_at = time.perf_counter()
        self.socket.send(data)

    def _hear(self) -> Request | Response:
        data = self.socket.recv(65536)
        self.heard_at = time.perf_counter()
        return parse_message(data)

    def response(self, *wanted: int) -> Response:
        """Wait for a response with one of the statuses."""
        while True:
            message = self._hear()
            if isinstance(message, Response) and message.status in wanted:
                return message
            if isinstance(message, Response) and message.status >= 300:
                raise RuntimeError(f"{message.status} {message.reason}: {message.headers.get('Reason')}")

    def requested(self, method: str) -> Request:
        """Wait for a request with the method."""
        while True:
            message = self._hear()
            if isinstance(message, Request) and message.method == method:
                return message
            self._take_note(message)

    def catch_up(self) -> None:
        """Answer what has come meanwhile."""
        self.socket.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self._take_note(self._hear())
        self.socket.settimeout(PATIENCE)

    def _take_note(self, message: Request | Response) -> None:
        """Answer the NOTIFY of a missed call, as phones do."""
        if isinstance(message, Request) and message.method == "NOTIFY":
            self.tell(reply(message, 200))

    def challenged(self, request: Request) -> Request:
        """Send a request without credentials; return the one with them."""
        self.tell(request)
        challenge = self.response(401, 407)
        if request.method == "INVITE":
            self.tell(ack_of_failure(request, challenge))
        request.headers.remove("Via")
        return self.again(request, challenge)

    def enroll(self) -> None:
        """Register."""
        self.tell(self.challenged(self.request("REGISTER", "sip:mesh", f"<sip:{self.user}@mesh>")))
        self.response(200)


def _ring(caller: BlockingPhone, uri: str, callee: BlockingPhone) -> float:
    """Let a phone ring and refuse; return the seconds from the INVITE with credentials to 180, less the phones' own."""
    invite = caller.request("INVITE", uri)
    invite.set_body("application/sdp", SDP)
    invite = caller.challenged(invite)
    callee.catch_up()
    caller.tell(invite)
    began = caller.told_at
    rung = callee.requested("INVITE")
    heard = callee.heard_at
    callee.tell(_reply(callee, rung, 180))
    thought = callee.told_at - heard
    caller.response(180)
    took = caller.heard_at - began - thought
    callee.tell(_reply(callee, rung, 486))
    caller.tell(ack_of_failure(invite, caller.response(486)))
    callee.requested("ACK")
    return took


def _reply(phone: BlockingPhone, request: Request, status: int) -> Response:
    response = reply(request, status, tag="callee")
    response.headers.add("Contact", phone.contact)
    return response


def _ring_often(caller: BlockingPhone, uri: str, callee: BlockingPhone, count: int) -> list[float]:
    with caller.socket, callee.socket:
        caller.enroll()
        callee.enroll()
        return [_ring(caller, uri, callee) for _ in range(count)]


def _account(node: Node) -> tuple[str, int, str]:
    return node.account["username"], node.phones[1], node.account["secret"]


async def _through_nodes(count: int) -> tuple[list[float], float]:
    """Return the delays, and the processor time of both nodes for one call with its refusal, all in seconds."""
    with DataDirectory("near") as near, DataDirectory("far") as far:
        async with Node("alice", near) as alice, Node("bob", far, bootstrap=[alice.mesh_text]) as bob:
            await alice.event("published")
            await bob.event("published")
            await _get_acquainted(alice, bob)
            phones = BlockingPhone(*_account(alice)), BlockingPhone(*_account(bob))
            before = alice.program.cpu_seconds() + bob.program.cpu_seconds()
            delays = await asyncio.to_thread(_ring_often, phones[0], bob.uri, phones[1], count)
            return delays, (alice.program.cpu_seconds() + bob.program.cpu_seconds() - before) / count


async def _get_acquainted(alice: Node, bob: Node) -> None:
    """Let alice call bob and bob answer, so that each knows the other from then on."""
    (near, near_port, near_secret), (far, far_port, far_secret) = _account(alice), _account(bob)
    async with (
        SipPhone(near, near_port, secret=near_secret) as caller,
        SipPhone(far, far_port, secret=far_secret) as callee,
    ):
        await caller.register()
        await callee.register()
        call = await caller.call(bob.uri)
        rung = await callee.rung()
        await rung.answer()
        await call.response(200)
        await alice.event("call_secured")
        await bob.event("call_secured")
        await call.hang_up()
        await caller.register(expires=0)
        await callee.register(expires=0)


def measure(*, quick: bool) -> list[Figure]:
    """Return the figures of this section."""
    count = 50 if quick else 300
    sys.setswitchinterval(SWITCH)
    delays, cpu = asyncio.run(_through_nodes(count))
    samples = {OURS: delays}
    if systems.has_kamailio():
        with tempfile.TemporaryDirectory() as folder, systems.kamailio(Path(folder)) as kamailio:
            phones = BlockingPhone("c0", kamailio.port), BlockingPhone("v0", kamailio.port)
            samples["kamailio"] = _ring_often(phones[0], "sip:v0@mesh", phones[1], count)
    figures = []
    for share, target in ((50, None), (95, TARGET_MS), (99, None)):
        values = {name: 1e3 * (percentile(taken, share) or 0) for name, taken in samples.items()}
        figures.append(Figure(SECTION, f"INVITE to 180, p{share}", "ms", {**values}, target, note=PEER))
    figures.append(Figure(SECTION, "processor time of both nodes, refusal included", "ms", {OURS: cpu * 1e3}))
    return figures
