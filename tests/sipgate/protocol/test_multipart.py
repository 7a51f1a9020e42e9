import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipgate.protocol import multipart
from sipgate.protocol.errors import SipError

BODIES = st.lists(st.binary(max_size=80), min_size=1, max_size=multipart.MAX_PARTS)


@given(BODIES)
def test_what_is_built_is_read_back(bodies: list[bytes]) -> None:
    content_type, body = multipart.build([("application/octet-stream", part) for part in bodies])
    assert [part.body for part in multipart.parse(content_type, body)] == bodies


def test_a_part_that_holds_the_boundary_gets_another_boundary() -> None:
    first, _ = multipart.build([("text/plain", b"x")])
    boundary = first.partition("boundary=")[2].encode()
    tricky = [("text/plain", b"x"), ("text/plain", b"--" + boundary)]
    content_type, body = multipart.build(tricky)
    assert [part.body for part in multipart.parse(content_type, body)] == [b"x", b"--" + boundary]


def test_a_body_of_another_type_is_one_part() -> None:
    (part,) = multipart.parse("application/sdp", b"v=0\r\n")
    assert (part.content_type.essence, part.body) == ("application/sdp", b"v=0\r\n")


def test_preamble_quoted_boundary_and_headerless_parts_are_read() -> None:
    body = b"preamble\r\n--b 1\r\n\r\nplain\r\n--b 1\r\nContent-Type: a/b\r\n\r\nx\r\n--b 1--\r\nepilogue"
    parts = multipart.parse('multipart/mixed; boundary="b 1"', body)
    assert [(part.content_type.essence, part.body) for part in parts] == [
        ("text/plain", b"plain"),
        ("a/b", b"x"),
    ]


def test_a_nested_multipart_is_one_part_that_can_be_read_again() -> None:
    inner = multipart.build([("a/b", b"1"), ("c/d", b"2")])
    content_type, body = multipart.build([("text/plain", b"x"), inner])
    (_, nested) = multipart.parse(content_type, body)
    assert [part.body for part in multipart.parse(str(nested.content_type), nested.body)] == [b"1", b"2"]


def test_a_boundary_that_begins_another_does_not_close_it() -> None:
    body = b"--b\r\n\r\n--b2 \r\n-- b\r\n--c--\r\n--b--"
    with pytest.raises(
        SipError
    ):  # RFC 2046 5.1.1: a line that begins with the delimiter cannot stand in a part
        multipart.parse("multipart/mixed;boundary=b", body)
    (part,) = multipart.parse("multipart/mixed;boundary=b", body.replace(b"--b2", b"--a"))
    assert part.body == b"--a \r\n-- b\r\n--c--"


def test_the_most_parts_and_one_more() -> None:
    content_type, body = multipart.build([("a/b", b"x")] * multipart.MAX_PARTS)
    assert len(multipart.parse(content_type, body)) == multipart.MAX_PARTS
    with pytest.raises(SipError) as caught:
        multipart.parse(*multipart.build([("a/b", b"x")] * (multipart.MAX_PARTS + 1)))
    assert caught.value.status == 413


def test_a_media_type_with_bytes_that_are_no_text_survives() -> None:
    (part,) = multipart.parse(*multipart.build([('a/b;x="\udcff"', b"1")]))
    assert part.content_type.parameter("x") == "\udcff"


def test_a_media_type_cannot_bring_headers() -> None:
    with pytest.raises(ValueError, match="not a media type"):
        multipart.build([("a/b\r\nX: y", b"")])


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/mixed", b"--b\r\n\r\nx\r\n--b--"),
        ("multipart/mixed;boundary=" + "b" * 71, b""),
        ("multipart/mixed;boundary=b", b"--b\r\n\r\nnever closed"),
        ("multipart/mixed;boundary=b", b"--b\r\nno colon\r\n\r\nx\r\n--b--"),
        ("multipart/mixed;boundary=b", b"--bx\r\n\r\nx\r\n--b--"),
        ("multipart/mixed;boundary=b", b"--b\r\n\r\nx\r\n" * 40 + b"--b--"),
        ("multipart/mixed;boundary=b", b"--b\r\n" + b"a: b\r\n" * 17 + b"\r\nx\r\n--b--"),
        ("multipart/mixed;boundary=b", b"--b\r\na: b\nc: d\r\n\r\nx\r\n--b--"),
        ("multipart/mixed;boundary=b", b"--b\r\na: b\r\r\n\r\nx\r\n--b--"),
        ("multipart/mixed;boundary=b", b"--b\r\nContent-Type: <>\r\n\r\nx\r\n--b--"),
        ("multipart/mixed;boundary=b", b"--b\r\n\r\nx\r\n--b"),
        ("multipart/mixed;boundary=b", b"x--b\r\n\r\nx\r\n--b--"),
        ("multipart/mixed;boundary=b", b""),
        ('multipart/mixed;boundary=""', b"--\r\n\r\nx\r\n----"),
        ("nonsense", b""),
    ],
)
def test_what_is_malformed_is_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(SipError):
        multipart.parse(content_type, body)


PIECES = st.sampled_from(
    [b"--b", b"--b--", b"\r\n", b"\r\n\r\n", b"--", b"x", b"Content-Type: ", b"a/b", b";", b'"', b"\xff"]
)


@given(st.lists(PIECES, max_size=40).map(b"".join))
def test_spoilt_bodies_raise_only_the_one_exception(body: bytes) -> None:
    try:
        parts = multipart.parse("multipart/mixed;boundary=b", body)
    except SipError:
        return
    again = multipart.parse(*multipart.build([(str(part.content_type), part.body) for part in parts]))
    assert [(part.content_type, part.body) for part in again] == [(p.content_type, p.body) for p in parts]


@given(st.binary(max_size=300))
def test_random_bodies_raise_only_the_one_exception(body: bytes) -> None:
    try:
        multipart.parse("multipart/mixed;boundary=b", body)
    except SipError:
        return
