"""How many INVITEs one core reads in a second, and writes again."""

import time
from collections.abc import Callable

import sipmessage

from scripts.bench.report import OURS, Figure
from sipgate.protocol.message import Request, parse_message
from sipgate.protocol.uri import Uri
from sipgate.protocol.validate import validate_request

SECTION = "parser"
SDP = (
    b"v=0\r\no=alice 2890844526 2890844526 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    b"m=audio 49170 RTP/AVP 0 8 97 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:97 iLBC/8000\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n"
)
INVITE = (
    b"INVITE sip:bob@mesh SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK8d3f0a;received=192.0.2.2\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK74bf9e;rport=5060;received=192.0.2.1\r\n"
    b"Max-Forwards: 69\r\n"
    b"Record-Route: <sip:192.0.2.2;lr>\r\n"
    b'From: "Alice Liddell" <sip:alice@mesh>;tag=9fxced76sl\r\n'
    b"To: Bob <sip:bob@mesh>\r\n"
    b"Call-ID: 3848276298220188511@192.0.2.1\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Contact: <sip:alice@192.0.2.1:5060;transport=udp>\r\n"
    b"Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, PRACK, REFER, NOTIFY\r\n"
    b"Supported: replaces, 100rel, timer\r\n"
    b"User-Agent: a phone/1.0\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: %d\r\n\r\n" % len(SDP)
) + SDP
# in what differs from call to call no two are the same
MESSAGES = tuple(
    INVITE.replace(b"8d3f0a", b"%06x" % n)
    .replace(b"74bf9e", b"%06x" % (n + 1))
    .replace(b"9fxced76sl", b"%010x" % n)
    .replace(b"3848276298220188511", b"%019d" % n)
    for n in range(1024)
)
SECONDS = 1.0
ROUNDS = 3


def _ours(message: bytes) -> None:
    parse_message(message)


def _ours_used(message: bytes) -> None:
    """Read it, look at all that a server looks at, write it."""
    request = parse_message(message)
    assert isinstance(request, Request)
    _ = Uri.parse(request.uri).host, request.vias, request.routes, request.record_routes, request.contacts
    _ = request.from_.tag, request.to.uri.user, request.call_id, request.cseq.number, request.max_forwards
    _ = request.content_type, request.headers.get_all("Supported")
    bytes(request)


def _ours_validated(message: bytes) -> None:
    request = parse_message(message)
    assert isinstance(request, Request)
    validate_request(request)


def _theirs(message: bytes) -> None:
    sipmessage.Message.parse(message)


def _theirs_used(message: bytes) -> None:
    request = sipmessage.Message.parse(message)
    assert isinstance(request, sipmessage.Request)
    _ = request.uri.host, request.via, request.route, request.record_route, request.contact
    _ = request.from_address, request.to_address, request.call_id, request.cseq, request.max_forwards
    _ = request.content_type, request.supported
    bytes(request)


def rate(work: Callable[[bytes], None]) -> float:
    """Return how often the work is done in a second of processor time, the best of some rounds."""
    best = 0.0
    for _ in range(ROUNDS):
        count, began = 0, time.process_time()
        while (spent := time.process_time() - began) < SECONDS / ROUNDS:
            for message in MESSAGES:
                work(message)
            count += len(MESSAGES)
        best = max(best, count / spent)
    return best


def measure() -> list[Figure]:
    """Return the figures of this section."""
    pairs = (
        ("read", _ours, _theirs, 25_000),
        ("read, typed access, written", _ours_used, _theirs_used, 12_000),
        ("read and checked as a request", _ours_validated, None, None),
    )
    figures = []
    for name, ours, theirs, target in pairs:
        values: dict[str, float | None] = {OURS: rate(ours)}
        if theirs is not None:
            values["sipmessage"] = rate(theirs)
        figures.append(Figure(SECTION, name, "INVITE/s", values, target, more_is_better=True))
    return figures
