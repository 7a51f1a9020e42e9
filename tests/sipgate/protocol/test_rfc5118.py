"""The torture messages for IPv6, RFC 5118: all but the one without brackets are read, and none is rewritten."""

from pathlib import Path

import pytest

from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Request, parse_message
from sipgate.protocol.uri import Uri
from sipgate.protocol.validate import validate_request

VECTORS = Path(__file__).parents[2] / "vectors" / "rfc5118"

# name: host and port of the Request-URI, hosts of the Vias
VALID: dict[str, tuple[str, int | None, list[str]]] = {
    "ipv6-good": ("[2001:db8::10]", None, ["[2001:db8::9:1]"]),
    "port-ambiguous": ("[2001:db8::10:5070]", None, ["[2001:db8::9:1]"]),
    "port-unambiguous": ("[2001:db8::10]", 5070, ["[2001:db8::9:1]"]),
    "via-received-param-with-delim": ("[2001:db8::10]", None, ["[2001:db8::9:1]"]),
    "via-received-param-no-delim": ("[2001:db8::10]", None, ["[2001:db8::9:1]"]),
    "ipv6-in-sdp": ("[2001:db8::10]", None, ["[2001:db8::20]"]),
    "mult-ip-in-header": ("host.example.net", None, ["[2001:db8::9:1]", "192.0.2.1", "[2001:db8::9:255]"]),
    "mult-ip-in-sdp": ("[2001:db8::10]", None, ["[2001:db8::9:1]"]),
    "ipv4-mapped-ipv6": ("example.com", None, ["[::ffff:192.0.2.10]", "[::ffff:192.0.2.2]"]),
    "ipv6-bug-abnf-3-colons": ("[2001:db8:::192.0.2.1]", None, ["lab1.east.example.com"]),
    "ipv6-correct-abnf-2-colons": ("[2001:db8::192.0.2.1]", None, ["lab1.east.example.com"]),
}
INVALID = {"ipv6-bad": 400}


def read(name: str) -> bytes:
    return (VECTORS / f"{name}.dat").read_bytes()


def test_all_12_messages_are_judged() -> None:
    assert {path.stem for path in VECTORS.glob("*.dat")} == {*VALID, *INVALID}


@pytest.mark.parametrize("name", VALID)
def test_a_valid_message_is_understood_and_survives_untouched(name: str) -> None:
    message = parse_message(read(name))
    assert isinstance(message, Request)
    validate_request(message)
    host, port, hops = VALID[name]
    assert (Uri.parse(message.uri).host, Uri.parse(message.uri).port) == (host, port)
    assert [via.host for via in message.vias] == hops
    assert bytes(message) == read(name)


@pytest.mark.parametrize(("name", "status"), INVALID.items())
def test_an_invalid_message_is_refused(name: str, status: int) -> None:
    message = parse_message(read(name))
    assert isinstance(message, Request)
    with pytest.raises(SipError) as caught:
        validate_request(message)
    assert caught.value.status == status


def test_received_is_read_with_brackets_and_without() -> None:
    with_brackets, without = (
        parse_message(read(f"via-received-param-{kind}-delim")) for kind in ("with", "no")
    )
    assert with_brackets.top_via.received == "[2001:db8::9:255]"
    assert without.top_via.received == "2001:db8::9:255"


@pytest.mark.parametrize(
    "host",
    [
        "[:::]",
        "[1:2]",
        "[::1",
        "[]",
        "[::1%eth0]",
        "[::g]",
        "[::1]x",
        "[1::2::3]",
        "[:::1]",
        "[::300.0.0.1]",
        "[٣::1]",
    ],
)
def test_other_hosts_in_brackets_are_refused(host: str) -> None:
    with pytest.raises(SipError):
        Uri.parse(f"sip:a@{host}")
