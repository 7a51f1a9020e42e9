import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipgate.protocol.address import Address
from sipgate.protocol.errors import SipError
from sipgate.protocol.headers import Headers
from sipgate.protocol.media_type import MediaType
from sipgate.protocol.message import WILDCARD, Message, Request, Response, parse_message, reply
from sipgate.protocol.validate import validate_request

INVITE = (
    b"INVITE sip:bob@mesh SIP/2.0\r\n"
    b"v: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKa;rport, SIP/2.0/TCP [2001:db8::1];branch=z9hG4bKb\r\n"
    b'From: "Al\\"ice, A." <sip:alice@mesh>;tag=1\r\n'
    b"To: <sip:bob@mesh>\r\n"
    b"Subject: folded\r\n  over\r\n\ttwo lines\r\n"
    b"i: abc@192.0.2.1\r\n"
    b"CSeq: 7 INVITE\r\n"
    b"Max-Forwards: 70\r\n"
    b"X-Unknown:   kept  as it is \r\n"
    b'm: <sip:alice@192.0.2.1:5070;transport=udp>;+sip.instance="<urn:uuid:1>";expires=60\r\n'
    b"c: application/sdp\r\n"
    b"l: 4\r\n\r\nv=0\n"
)


def request() -> Request:
    message = parse_message(INVITE)
    assert isinstance(message, Request)
    return message


def read_all(message: Message) -> None:
    """Look at a message through every typed view."""
    if isinstance(message, Request):
        validate_request(message)
    for view in ("vias", "top_via", "from_", "to", "call_id", "cseq", "contacts", "routes", "record_routes"):
        getattr(message, view)
    for view in ("max_forwards", "expires", "content_type"):
        getattr(message, view)


def test_what_nobody_changes_leaves_as_it_came() -> None:
    message = request()
    read_all(message)
    assert bytes(message) == INVITE


def test_the_views_understand_phones() -> None:
    message = request()
    assert [via.branch for via in message.vias] == ["z9hG4bKa", "z9hG4bKb"]
    assert message.vias[1].host == "[2001:db8::1]"
    assert message.from_.display_name == 'Al"ice, A.'
    assert message.from_.tag == "1"
    assert message.headers.get("subject") == "folded over two lines"
    contacts = message.contacts
    assert isinstance(contacts, list)
    assert contacts[0].parameters["+sip.instance"] == '"<urn:uuid:1>"'
    assert contacts[0].uri.parameters == {"transport": "udp"}
    assert message.content_type == MediaType("application/sdp")


def test_only_the_header_that_was_changed_is_written_anew() -> None:
    message = request()
    message.headers.set("Max-Forwards", "69")
    message.headers.remove_first("Via")
    wire = bytes(message)
    assert wire.replace(b"69", b"70") == INVITE.replace(
        b"SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKa;rport, ", b""
    )


def test_a_body_replaced_keeps_type_and_length_true() -> None:
    message = request()
    message.set_body("text/plain", b"hello!")
    again = parse_message(bytes(message))
    assert again.body == b"hello!"
    assert again.headers.get_all("Content-Length") == ["6"]
    message.set_body(None, b"")
    assert "Content-Type" not in message.headers


@pytest.mark.parametrize(
    ("contact", "expected"),
    [
        ("*", WILDCARD),
        ("sip:bob@node1", ["sip:bob@node1"]),
        ('<sip:a@b>, "x, y" <sip:c@d>', ["sip:a@b", "sip:c@d"]),
        ("<tel:+15551234>", ["tel:+15551234"]),
        ("<sip:c@[2001:db8::9]:5060;ob>", ["sip:c@[2001:db8::9]:5060;ob"]),
    ],
)
def test_contacts_of_all_kinds(contact: str, expected: object) -> None:
    message = request()
    message.headers.set("Contact", contact)
    found = message.contacts
    assert found == expected if isinstance(found, str) else [str(a.uri) for a in found] == expected


def test_refer_to_with_replaces_is_one_address() -> None:
    text = "<sip:bob@mesh?Replaces=abc%40x%3Bto-tag%3D1%3Bfrom-tag%3D2>"
    assert str(Address.parse(text)) == text


def test_a_reply_copies_what_it_must_and_tags_to_once() -> None:
    response = reply(request(), 180, tag="t1")
    assert response.headers.get("To") == "<sip:bob@mesh>;tag=t1"
    assert [str(via) for via in response.vias] == [str(via) for via in request().vias]
    assert response.reason == "Ringing"
    parsed = parse_message(bytes(response))
    assert isinstance(parsed, Response)
    tagged = request()
    tagged.headers.set("To", "<sip:bob@mesh>;tag=theirs")
    assert reply(tagged, 200, tag="t1").to.tag == "theirs"


def test_nobody_writes_headers_of_their_own_into_ours() -> None:
    for value in ("a\r\nX: y", "a\nX: y", "a\rb"):
        with pytest.raises(ValueError, match="not a header"):
            Headers().add("Subject", value)
        with pytest.raises(ValueError, match="not a header"):
            Headers().set("Subject", value)


def test_bytes_that_are_no_text_survive() -> None:
    wire = INVITE.replace(b'Al\\"ice, A.', b"\xff\xfe")
    message = parse_message(wire)
    read_all(message)
    message.headers.set("P-Asserted-Identity", str(message.from_))
    assert b"\xff\xfe" in bytes(message).split(b"P-Asserted-Identity")[1]


@given(st.binary(max_size=400))
def test_random_bytes_raise_only_the_one_exception(data: bytes) -> None:
    try:
        read_all(parse_message(data))
    except SipError:
        return


@given(st.integers(0, 2**32), st.integers(1, 12))
def test_mutated_messages_raise_only_the_one_exception(seed: int, changes: int) -> None:
    chance = random.Random(seed)
    data = bytearray(INVITE)
    for _ in range(changes):
        at = chance.randrange(len(data))
        data[at : at + chance.randrange(3)] = chance.choice(
            (b"", b"\0", b'"', b"<", b">", b";", b",", b"%", b"\r\n", b"\xff")
        )
    try:
        message = parse_message(bytes(data))
        read_all(message)
    except SipError:
        return
    for name, value in message.headers.items():  # what was read can be written again
        Headers().add(name, value)
