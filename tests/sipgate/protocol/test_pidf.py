"""Presence documents: what phones really send is understood, what tricks a parser is refused."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipgate.protocol.errors import SipError
from sipgate.protocol.pidf import MAX_NOTE, Presence, compose, parse, plain_note

NS = 'xmlns="urn:ietf:params:xml:ns:pidf"'
BARESIP = b"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf"
    xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"
    xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid"
    entity="sip:alice@mesh">
  <dm:person id="p4159"><rpid:activities><rpid:on-the-phone/></rpid:activities></dm:person>
  <tuple id="t4109">
    <status>
      <basic>open</basic>
    </status>
    <contact>sip:alice@mesh</contact>
  </tuple>
</presence>
"""


def document(inside: str, attributes: str = NS) -> bytes:
    return f"<presence {attributes} entity='sip:a@mesh'>{inside}</presence>".encode()


def basic(word: str) -> str:
    return f"<tuple id='t'><status><basic>{word}</basic></status></tuple>"


def test_what_baresip_publishes_is_understood() -> None:
    assert parse(BARESIP) == Presence(is_open=True, is_busy=True)


def test_one_open_tuple_of_several_is_enough() -> None:
    assert parse(document(basic("closed") + basic(" open\n"))).is_open
    assert not parse(document(basic("closed"))).is_open
    assert not parse(document("")).is_open


def test_the_first_note_with_words_in_it_counts() -> None:
    assert parse(document(f"<note> </note>{basic('open')}<note>at\nlunch</note>")).note == "at lunch"


def test_other_namespaces_mean_nothing() -> None:
    assert not parse(
        document("<x:tuple xmlns:x='urn:x'><x:status><x:basic>open</x:basic></x:status></x:tuple>")
    ).is_open


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"open",
        b"<presence/>",
        document("", "xmlns='urn:other'"),
        document("<tuple>"),
        document(basic("maybe")),
        document("&x;"),
        document("<?php evil ?>"),
        b"<!DOCTYPE presence>" + document(""),
        b"<!DOCTYPE presence SYSTEM 'file:///etc/passwd'>" + document(""),
        b"<!DOCTYPE p [<!ENTITY a 'open'>]>" + document(basic("&a;")),
        b"<!DOCTYPE p [<!ENTITY % a SYSTEM 'http://192.0.2.1/'> %a;]>" + document(""),
        document("<note>" * 20 + "</note>" * 20),
        document("<note/>" * 300),
        document("<note>x</note>").replace(b"x", b"\xff"),
        document("").decode().encode("utf-16"),
        document("") + document(""),
    ],
)
def test_anything_else_is_refused_with_400(data: bytes) -> None:
    with pytest.raises(SipError) as refused:
        parse(data)
    assert refused.value.status == 400


def test_a_document_that_is_too_large_is_not_even_read() -> None:
    with pytest.raises(SipError) as refused:
        parse(document("<note>" + "x" * 17_000 + "</note>"))
    assert refused.value.status == 413


def test_a_billion_laughs_cost_nothing() -> None:
    laughs = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10))
    started = time.perf_counter()
    with pytest.raises(SipError):
        parse(f"<!DOCTYPE p [<!ENTITY l0 'lol'>{laughs}]>".encode() + document("&l9;"))
    assert time.perf_counter() - started < 0.1


@given(
    st.binary(max_size=300) | st.text(alphabet="<>/=!?[]&;'\"tuplebasicoen \n", max_size=300).map(str.encode)
)
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for body in (data, BARESIP[: len(data)] + data, document("").replace(b"></", b">" + data + b"</")):
        try:
            parse(body)
        except SipError as error:
            assert error.status in (400, 413)  # noqa: PT017 - either is fine


@given(st.booleans(), st.text(max_size=200), st.booleans(), st.text(max_size=50))
def test_what_is_written_is_read_again(is_open: bool, note: str, is_busy: bool, entity: str) -> None:
    presence = Presence(is_open, plain_note(note), is_busy)
    printable = "".join(char for char in entity if char.isprintable())
    assert parse(compose(f"sip:{printable}", Presence(is_open, note, is_busy))) == presence
    assert len(presence.note) <= MAX_NOTE
