"""Descriptions come out as they went in, and nothing malformed or endless gets in."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.protocol.errors import MediaRefused
from media.protocol.sdp import MAX_SECTIONS, SessionDescription

PLAIN = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n"

line_text = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=60)
lines = st.lists(st.tuples(st.sampled_from("abik"), line_text).map("=".join), max_size=6)


@given(lines, st.lists(lines, max_size=4))
def test_every_line_is_kept_verbatim(session: list[str], sections: list[list[str]]) -> None:
    text = ["v=0", "o=- 1 1 IN IP4 10.0.0.1", "s=x", "t=0 0", *session]
    for section in sections:
        text += ["m=audio 4000 RTP/AVP 0 8", *section]
    data = "".join(f"{line}\r\n" for line in text).encode("latin-1")
    assert bytes(SessionDescription.parse(data)) == data


def test_bare_line_feeds_are_understood() -> None:
    assert bytes(SessionDescription.parse(PLAIN.replace(b"\r\n", b"\n"))) == PLAIN


@given(st.binary(max_size=300))
def test_garbage_is_refused_or_kept(data: bytes) -> None:
    with contextlib.suppress(MediaRefused):
        SessionDescription.parse(data)


@given(st.integers(0, len(PLAIN) - 1), st.integers(0, 255))
def test_a_description_with_a_wrong_byte_is_refused_or_kept(at: int, byte: int) -> None:
    data = PLAIN[:at] + bytes([byte]) + PLAIN[at + 1 :]
    with contextlib.suppress(MediaRefused):
        SessionDescription.parse(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"v=1\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\n",
        b"o=- 1 1 IN IP4 0.0.0.0\r\nv=0\r\ns=-\r\n",
        PLAIN + b"t=0 0\r\n",
        PLAIN.replace(b"4000", b"70000"),
        PLAIN.replace(b"4000", b"4000/2"),
        PLAIN + b"no line\r\n",
        PLAIN + b"a=\0\r\n",
        PLAIN + b"m=audio 1 RTP/AVP 0\r\n" * MAX_SECTIONS,
        PLAIN + b"a=x\r\n" * 1_100,
        PLAIN + b"a=" + b"x" * 33_000 + b"\r\n",
    ],
)
def test_what_breaks_the_rules_or_the_bounds_is_refused(data: bytes) -> None:
    with pytest.raises(MediaRefused):
        SessionDescription.parse(data)
