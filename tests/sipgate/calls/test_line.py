"""Who may speak on a leg, and where the leg's requests go."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sipgate.calls.joint import Joint
from sipgate.calls.line import MeshLine, PhoneLine
from sipgate.calls.sending import Sender
from sipgate.identity import NodeIdentity
from sipgate.ports import MediaRefused, Refusal
from sipgate.protocol.message import Request
from sipgate.protocol.uri import Uri
from sipgate.transport import Address, FlowSide, Hop, TransportName
from sipgate.ways import Way, ways_to

from .fake_legs import FakeMedia

IDENTITY = NodeIdentity(Ed25519PrivateKey.generate(), lambda: 0.0)
KEY = IDENTITY.node_public_key
NOBODY: Sender = None  # type: ignore[assignment]


@dataclass(eq=False)
class FakeFlow:
    transport: TransportName = "udp"
    side: FlowSide = "phone"
    remote: Address = ("127.0.0.1", 4000)
    local: Address = ("127.0.0.1", 5060)
    is_closed: bool = False
    node_public_key: bytes | None = None
    is_anonymous: bool = False

    async def closed(self) -> None: ...

    def send(self, data: bytes) -> None: ...


def bye(*, signed: bool) -> Request:
    request = Request("BYE", "sip:bob@mesh")
    for name, value in (("From", "<sip:alice@mesh>;tag=a"), ("To", "<sip:bob@mesh>;tag=b"), ("Call-ID", "c")):
        request.headers.add(name, value)
    request.headers.add("CSeq", "2 BYE")
    if signed:
        IDENTITY.sign(request)
    return request


def phone(*ways: Way) -> PhoneLine:
    return PhoneLine(NOBODY, "<sip:us>", ways)


def mesh(flow: FakeFlow | None = None) -> MeshLine:
    return MeshLine(NOBODY, "<sip:us>", IDENTITY, KEY, [Hop("tls", "127.0.0.1", 7, KEY)], flow)


def test_a_phone_speaks_from_its_own_address_only() -> None:
    line = phone(Hop("udp", "127.0.0.1", 5062))
    line.admit(bye(signed=False), FakeFlow())
    for flow in (FakeFlow(remote=("127.0.0.2", 4000)), FakeFlow(transport="tls", side="mesh")):
        with pytest.raises(Refusal):
            line.admit(bye(signed=False), flow)


def test_a_node_speaks_over_tls_and_signed_only() -> None:
    line = mesh()
    moved = FakeFlow(transport="tls", side="mesh", remote=("127.0.0.9", 1))
    line.admit(bye(signed=True), moved)
    assert line.flow is moved
    for transport in ("udp", "tcp"):
        with pytest.raises(Refusal):
            line.admit(bye(signed=True), FakeFlow(transport=transport))
    with pytest.raises(Refusal):
        line.admit(bye(signed=False), moved)
    assert line.flow is moved


def test_the_open_connection_comes_first_and_a_closed_one_not_at_all() -> None:
    flow = FakeFlow(transport="tls", side="mesh")
    line = mesh(flow)
    assert line.ways()[0] is flow
    flow.is_closed = True
    assert list(line.ways()) == list(line.hops)


@pytest.mark.parametrize(
    ("contact", "flow", "expected"),
    [
        ("sip:a@127.0.0.1:5062", FakeFlow(), [Hop("udp", "127.0.0.1", 5062)]),
        ("sip:a@127.0.0.1", FakeFlow(), [Hop("udp", "127.0.0.1", 5060)]),
        ("sip:a@127.0.0.1:5062;transport=tcp", FakeFlow(), [Hop("tcp", "127.0.0.1", 5062)]),
    ],
)
def test_a_contact_at_the_phones_own_address_is_believed(
    contact: str, flow: FakeFlow, expected: list[Way]
) -> None:
    assert list(ways_to(Uri.parse(contact), flow)) == expected


@pytest.mark.parametrize("contact", ["sip:a@10.9.9.9:5062", "sip:a@phone.example", "sip:a@127.0.0.1:4000"])
def test_any_other_contact_means_where_the_request_came_from(contact: str) -> None:
    flow = FakeFlow()
    assert ways_to(Uri.parse(contact), flow) == (flow,)


def test_a_connection_is_used_while_it_is_open() -> None:
    flow = FakeFlow(transport="tcp")
    ways = ways_to(Uri.parse("sip:a@127.0.0.1:5062"), flow)
    assert ways == (flow, Hop("tcp", "127.0.0.1", 5062))
    line = phone(*ways)
    flow.is_closed = True
    assert list(line.ways()) == [Hop("tcp", "127.0.0.1", 5062)]


KEYED = (
    b"v=0\r\nm=audio 4000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 "
    b"inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n"
)


def test_keys_go_over_tls_or_stay_on_this_machine() -> None:
    for way in (Hop("tls", "192.0.2.7", 5061, KEY), Hop("udp", "127.0.0.1", 5062), Hop("tcp", "::1", 5062)):
        phone(way).check(KEYED)
    for way in (Hop("udp", "192.0.2.7", 5062), Hop("tcp", "192.0.2.7", 5062)):
        with pytest.raises(MediaRefused, match="keys of its encryption in the clear"):
            phone(way).check(KEYED)
        phone(way).check(KEYED.replace(b"SAVP", b"AVP"))  # beside plain RTP nobody uses them


async def test_an_offer_is_fitted_to_a_phone_that_has_to_encrypt_or_has_done_so() -> None:
    joint = Joint()
    line, plain = phone(Hop("udp", "127.0.0.1", 5062)), b"v=0\r\nm=audio 4000 RTP/AVP 0\r\n"
    assert joint.fit(plain, line, KEYED) == plain, "phones that talk directly do as they agree"
    joint.media = FakeMedia()
    assert joint.fit(plain, line) == joint.fit(plain, line, plain) == plain
    assert joint.fit(plain, line, KEYED) == plain + b">srtp"
    joint.rings_alone = True
    assert joint.fit(plain, line, KEYED) == plain + b">srtp alone"


def test_who_has_to_encrypt_says_nothing_else() -> None:
    line = phone(Hop("tls", "192.0.2.7", 5061, KEY))
    line.must_encrypt = True
    line.check(KEYED + b"m=image 0 udptl t38\r\n")
    for more in (
        b"m=video 5000 RTP/AVP 31\r\n",
        b"m=image 5000 udptl t38\r\n",
        b"m=audio\r\n",
        b"m=text  0 RTP/AVP 1",
    ):
        with pytest.raises(MediaRefused, match="paired for encrypted calls"):
            line.check(KEYED + more)
