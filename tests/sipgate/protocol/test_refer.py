"""Refer-To, Replaces and message/sipfrag: what they say, and what is no such thing."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipgate.protocol import sipfrag
from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Request
from sipgate.protocol.refer import Refer
from sipgate.protocol.replaces import Replaces
from sipgate.protocol.scanner import TOKEN
from sipgate.protocol.uri import Uri

TOKENS = st.text(sorted(TOKEN), min_size=1, max_size=30)
CALL_IDS = st.text(sorted(TOKEN | set("@:[]?/{}()")), min_size=1, max_size=60)


def refer(to: str, **headers: str) -> Request:
    request = Request("REFER", "sip:alice@127.0.0.1")
    request.headers.add("Refer-To", to)
    for name, value in headers.items():
        request.headers.add(name.replace("_", "-"), value)
    return request


@given(call_id=CALL_IDS, to_tag=TOKENS, from_tag=TOKENS, early=st.booleans())
def test_a_dialog_survives_the_way_through_a_refer(
    call_id: str, to_tag: str, from_tag: str, *, early: bool
) -> None:
    replaces = Replaces(call_id, to_tag, from_tag, early)
    assert Replaces.parse(str(replaces)) == replaces
    sent = Refer(Uri.parse("sip:carol@mesh"), replaces)
    assert Refer.of(refer(sent.refer_to())) == sent


def test_the_example_of_the_rfc_is_read() -> None:
    read = Replaces.parse("98732@sip.example.com\t;from-tag=r33th4x0r ;to-tag=ff87ff")
    assert read == Replaces("98732@sip.example.com", "ff87ff", "r33th4x0r")
    assert Replaces.parse("12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only").early_only


@pytest.mark.parametrize(
    "text", ["", "a", "a;to-tag=1", "a;from-tag=1", ";to-tag=1;from-tag=2", "a b;to-tag=1;from-tag=2"]
)
def test_what_names_no_dialog_is_refused(text: str) -> None:
    with pytest.raises(SipError):
        Replaces.parse(text)


@given(st.text(max_size=100))
def test_any_text_is_read_or_refused(text: str) -> None:
    line = " ".join(text.splitlines())
    with suppress(SipError):
        Replaces.parse(text)
    with suppress(SipError):
        Refer.of(refer(line))
    with suppress(SipError):
        sipfrag.parse(text.encode("utf-8", "surrogatepass"))


def test_only_calls_can_be_asked_for() -> None:
    for to in ("<sip:carol@mesh;method=SUBSCRIBE>", "<sip:carol@mesh?method=BYE>"):
        with pytest.raises(SipError):
            Refer.of(refer(to))
    assert Refer.of(refer("<sip:carol@mesh;method=INVITE>")).target == Uri.parse("sip:carol@mesh")


def test_there_is_one_target() -> None:
    two = refer("<sip:carol@mesh>")
    two.headers.add("Refer-To", "<sip:dave@mesh>")
    for request in (two, Request("REFER", "sip:alice@127.0.0.1")):
        with pytest.raises(SipError):
            Refer.of(request)


def test_headers_in_the_target_are_not_copied_except_replaces() -> None:
    read = Refer.of(refer("<sip:carol@mesh?Subject=hi&Route=%3Csip:evil%3E>"))
    assert read.refer_to() == "<sip:carol@mesh>"
    with pytest.raises(SipError):
        Refer.of(
            refer(
                "<sip:c@mesh?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2&replaces=b%3Bto-tag%3D1%3Bfrom-tag%3D2>"
            )
        )


@pytest.mark.parametrize(("value", "wanted"), [("true", True), ("False", False), (" false ", False)])
def test_reports_are_sent_unless_they_are_not_wanted(value: str, *, wanted: bool) -> None:
    assert Refer.of(refer("<sip:carol@mesh>", Refer_Sub=value)).wants_reports is wanted


def test_hops_are_counted() -> None:
    assert Refer.of(refer("<sip:carol@mesh>", Max_Forwards="9")).max_forwards == 9
    assert Refer.of(refer("<sip:carol@mesh>", Max_Forwards="200")).max_forwards == 70


@given(st.integers(100, 699), st.text(max_size=50))
def test_a_fragment_says_the_status(status: int, phrase: str) -> None:
    plain = " ".join(phrase.split())
    assert sipfrag.parse(sipfrag.build(status, plain))[0] == status


def test_a_fragment_may_have_headers_and_may_lack_a_phrase() -> None:
    assert sipfrag.parse(b"SIP/2.0 486 Busy Here\r\nContact: <sip:x@y>\r\n") == (486, "Busy Here")
    assert sipfrag.parse(b"SIP/2.0 200") == (200, "")
    for body in (b"", b"SIP/2.0 20", b"INVITE sip:a SIP/2.0\r\n", b"SIP/2.0 799 x\r\n"):
        with pytest.raises(SipError):
            sipfrag.parse(body)
