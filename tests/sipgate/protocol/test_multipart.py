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


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/mixed", b"--b\r\n\r\nx\r\n--b--"),
        ("multipart/mixed;boundary=" + "b" * 71, b""),
        ("multipart/mixed;boundary=b", b"--b\r\n\r\nnever closed"),
        ("multipart/mixed;boundary=b", b"--b\r\nno colon\r\n\r\nx\r\n--b--"),
        ("multipart/mixed;boundary=b", b"--bx\r\n\r\nx\r\n--b--"),
        ("multipart/mixed;boundary=b", b"--b\r\n\r\nx\r\n" * 40 + b"--b--"),
        ("nonsense", b""),
    ],
)
def test_what_is_malformed_is_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(SipError):
        multipart.parse(content_type, body)


@given(st.binary(max_size=300))
def test_random_bodies_raise_only_the_one_exception(body: bytes) -> None:
    try:
        multipart.parse("multipart/mixed;boundary=b", body)
    except SipError:
        return
