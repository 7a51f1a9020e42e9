"""What real phones send that strict or careless parsers stumble over."""

import pytest

from sipgate.protocol.address import Address
from sipgate.protocol.errors import SipError
from sipgate.protocol.message import WILDCARD, Request, parse_message, reply
from sipgate.protocol.uri import Uri
from sipgate.protocol.validate import validate_request
from sipgate.protocol.via import Via

FIXED = [
    "REGISTER sip:mesh SIP/2.0",
    "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa;rport",
    "From: <sip:bob@mesh>;tag=1",
    "To: <sip:bob@mesh>",
    "Call-ID: abc",
    "CSeq: 1 REGISTER",
]


def register(*lines: str) -> Request:
    """Read a valid REGISTER with further or other header lines; it must survive untouched."""
    replaced = {line.partition(":")[0] for line in lines}
    kept = [line for line in FIXED if line.partition(":")[0] not in replaced]
    data = "\r\n".join([*kept, *lines, "Content-Length: 0", "", ""]).encode("utf-8", "surrogateescape")
    message = parse_message(data)
    assert isinstance(message, Request)
    validate_request(message)
    assert bytes(message) == data
    return message


def contacts(value: str) -> list[Address]:
    found = register(f"Contact: {value}").contacts
    assert isinstance(found, list)
    return found


def test_contact_star() -> None:
    assert register("Contact: *", "Expires: 0").contacts == WILDCARD
    assert register("m:*").contacts == WILDCARD
    with pytest.raises(SipError):
        register("Contact: *, <sip:bob@192.0.2.1>")


def test_the_instance_is_kept_in_spelling_and_order() -> None:
    value = '<sip:bob@192.0.2.1:5070>;reg-id=1;+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>";q=1.0'
    (contact,) = contacts(value)
    assert contact.parameters["+sip.instance"] == '"<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"'
    assert str(contact) == value


def test_a_contact_list_with_everything_in_quotes() -> None:
    first = '"Bob, \\"B\\" <x>" <sip:bob@192.0.2.1;transport=tcp>;+sip.instance="<urn:uuid:1>";methods="INVITE, ACK"'
    one, other = contacts(f"{first},<sip:bob@[::1]>")
    assert one.display_name == 'Bob, "B" <x>'
    assert one.parameters["methods"] == '"INVITE, ACK"'
    assert str(one) == first
    assert other.uri.host == "[::1]"


def test_two_contact_lines_are_one_list() -> None:
    message = register("Contact: <sip:bob@192.0.2.1>", "m: <sip:bob@192.0.2.2>")
    assert [str(contact) for contact in message.contacts] == ["<sip:bob@192.0.2.1>", "<sip:bob@192.0.2.2>"]


@pytest.mark.parametrize(
    ("value", "uri", "parameters"),
    [
        ("sip:bob@192.0.2.1;expires=60", "sip:bob@192.0.2.1", {"expires": "60"}),  # parameters of the header
        ("<sip:bob@192.0.2.1;expires=60>", "sip:bob@192.0.2.1;expires=60", {}),  # of the URI
        ("sip:bob@192.0.2.1 ; expires = 60", "sip:bob@192.0.2.1", {"expires": "60"}),
        ('sip:bob@192.0.2.1;x="<;,>"', "sip:bob@192.0.2.1", {"x": '"<;,>"'}),
        ('<sip:bob@192.0.2.1>;ob;methods=""', "sip:bob@192.0.2.1", {"ob": None, "methods": '""'}),
        ("<sip:bob@192.0.2.1;ob>", "sip:bob@192.0.2.1;ob", {}),
        ("<sip:192.0.2.1:5070>", "sip:192.0.2.1:5070", {}),
        (
            "<sip:+49%20176;phone-context=x@mesh;user=phone>",
            "sip:+49%20176;phone-context=x@mesh;user=phone",
            {},
        ),
    ],
)
def test_parameters_belong_to_the_header_or_to_the_uri(
    value: str, uri: str, parameters: dict[str, str | None]
) -> None:
    (contact,) = contacts(value)
    assert (str(contact.uri), contact.parameters) == (uri, parameters)


@pytest.mark.parametrize(
    "value",
    [
        "<sip:a@b>;",
        "<sip:a@b>;;x",
        "<sip:a@b>;x=",
        "<sip:a@b;>",
        "<sip:a@b",
        '"a <sip:a@b>',
        "Bob, Al <sip:a@b>",
    ],
)
def test_broken_contacts_are_400(value: str) -> None:
    with pytest.raises(SipError) as caught:
        contacts(value)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "uri", ["sip:bob@node1", "sip:node1", "sip:bob@host_with_underscore", "sip:bob@a.b.", "sips:bob@mesh"]
)
def test_hosts_without_a_dot(uri: str) -> None:
    assert str(Uri.parse(uri)) == uri


def test_refer_to_with_replaces() -> None:
    value = "<sip:carol@mesh?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2&Require=replaces>"
    referred = Address.parse(register(f"Refer-To: {value}").headers.get("r") or "")
    assert referred.uri.headers == "Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2&Require=replaces"
    assert str(referred) == value
    with pytest.raises(SipError):
        Address.parse(value[1:-1])  # a question mark needs brackets


def test_folded_headers_are_one_line_to_read_and_two_to_write() -> None:
    message = register('Contact: "Bob"\r\n\t<sip:bob@192.0.2.1>\r\n ;expires=60', "Subject:\r\n later")
    contact = message.contacts[0]
    assert str(contact) == '"Bob" <sip:bob@192.0.2.1>;expires=60'
    assert message.headers.get("s") == "later"


def test_compact_forms() -> None:
    lines = [
        "v: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa",
        "f: <sip:bob@mesh>;tag=1",
        "t: <sip:bob@mesh>",
        "i: abc",
    ]
    wire = "\r\n".join(
        [FIXED[0], *lines, "CSeq: 1 REGISTER", "m: <sip:bob@192.0.2.1>", "l: 0", "", ""]
    ).encode()
    message = parse_message(wire)
    assert isinstance(message, Request)
    validate_request(message)
    assert message.top_via.branch == "z9hG4bKa"
    assert (message.call_id, message.from_.tag) == ("abc", "1")
    assert [name for name, _ in reply(message, 200).headers] == [
        "Via",
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Content-Length",
    ]
    assert bytes(message) == wire


def test_several_vias_in_one_line_and_in_several() -> None:
    message = register(
        "Via: SIP/2.0/UDP a;branch=1 , SIP/2.0/TCP b:5061;branch=2", "v: SIP / 2.0 / TLS c : 5062;branch=3"
    )
    assert [str(via) for via in message.vias] == [
        "SIP/2.0/UDP a;branch=1",
        "SIP/2.0/TCP b:5061;branch=2",
        "SIP/2.0/TLS c:5062;branch=3",
    ]
    assert message.top_via == message.vias[0]
    message.headers.remove_first("Via")
    assert [via.branch for via in message.vias] == ["2", "3"]
    message.headers.prepend("Via", "SIP/2.0/UDP z")
    assert [via.host for via in message.vias] == ["z", "b", "c"]
    assert [via.host for via in reply(message, 200).vias] == ["z", "b", "c"]


@pytest.mark.parametrize(
    ("parameter", "port"),
    [
        ("rport", None),
        ("rport=5070", 5070),
        ("rport=0", 0),
        ("rport=65536", None),
        ("rport=x", None),
        ('rport="1"', None),
        ("x", None),
    ],
)
def test_rport_is_a_port_or_nothing(parameter: str, port: int | None) -> None:
    assert Via.parse(f"SIP/2.0/UDP a;{parameter}").rport == port


@pytest.mark.parametrize(
    "value",
    [
        "SIP/2.0/UDP",
        "SIP/2.0/UDP a b",
        "SIP/2.0/UDP 1.2 .3.4",
        "SIP/3.0/UDP a",
        "SIP/2.0 UDP a",
        "SIP/2.0/UDP a:b",
        "HTTP/2.0/UDP a",
        "SIP/2.0/U\x0bDP a",
        "SIP/2.0/UDP a\xa0",
    ],
)
def test_other_vias_are_400(value: str) -> None:
    with pytest.raises(SipError):
        Via.parse(value)


@pytest.mark.parametrize("uri", ["tel:+1-201-555-0123", "tel:7042;phone-context=example.com"])
def test_tel_uris_are_kept_as_they_are(uri: str) -> None:
    (contact,) = contacts(f"<{uri}>")
    assert (contact.uri.scheme, contact.uri.is_sip, str(contact.uri)) == ("tel", False, uri)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ('"Jörg 名前 🙂" <sip:bob@mesh>', "Jörg 名前 🙂"),
        ("Jörg <sip:bob@mesh>", "Jörg"),
        ("  Bob   B.  <sip:bob@mesh>", "Bob B."),
        ("O'Neil<sip:bob@mesh>", "O'Neil"),
        ('"" <sip:bob@mesh>', ""),
        ('"a\\\\b\\"c\\d" <sip:bob@mesh>', 'a\\b"cd'),
        ('"\udcff\udcfe" <sip:bob@mesh>', "\udcff\udcfe"),
        ('"\t\x07" <sip:bob@mesh>', "\t\x07"),
    ],
)
def test_display_names(value: str, name: str) -> None:
    address = register(f"From: {value};tag=1").from_
    assert address.display_name == name
    assert Address.parse(str(address)) == address
    assert Address.parse(str(address.with_tag("2"))).tag == "2"


def test_one_person_has_one_canonical_address() -> None:
    spellings = [
        "sip:bob@mesh",
        "SIP:Bob@MESH",
        "sips:%62ob@mesh:5061;transport=tcp",
        "sip:b%4Fb:secret@mesh?a=b",
        "sip:bob@mesh;lr",
    ]
    assert {Uri.parse(spelling).canonical() for spelling in spellings} == {"sip:bob@mesh"}
    assert Uri.parse("sip:b%40b@mesh").canonical() == "sip:b%40b@mesh"  # not the host b
    for spelling in spellings:
        canonical = Uri.parse(spelling).canonical()
        assert Uri.parse(canonical).canonical() == canonical
