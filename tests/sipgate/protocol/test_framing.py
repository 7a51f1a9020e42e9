import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipgate.protocol.errors import SipError
from sipgate.protocol.framing import Ping, StreamFramer
from sipgate.protocol.message import MAX_MESSAGE, parse_message

ONE = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 5\r\n\r\nab\r\n\r"
TWO = b"BYE sip:a@b SIP/2.0\r\nl : 0\r\n\r\n"
STREAM = ONE + b"\r\n\r\n" + TWO + b"\r\n\r\n\r\n\r\n" + ONE
PIECES = [ONE, Ping(), TWO, Ping(), Ping(), ONE]


@given(st.lists(st.integers(1, len(STREAM) - 1), max_size=12))
def test_however_the_stream_is_cut_the_pieces_are_the_same(cuts: list[int]) -> None:
    framer = StreamFramer()
    found: list[bytes | Ping] = []
    edges = [0, *sorted(set(cuts)), len(STREAM)]
    for start, end in itertools.pairwise(edges):
        found += framer.feed(STREAM[start:end])
    assert found == PIECES
    assert framer.pending == 0


@given(st.text("\r\n", max_size=40).map(str.encode), st.integers(0, 40))
def test_stray_line_breaks_are_dropped_and_pings_answered_however_they_are_cut(
    noise: bytes, cut: int
) -> None:
    expected: list[bytes | Ping] = []
    rest = noise + TWO
    while rest != TWO:  # one by one
        if rest.startswith(b"\r\n\r\n"):
            expected.append(Ping())
        rest = rest[4 if rest.startswith(b"\r\n\r\n") else 2 if rest.startswith(b"\r\n") else 1 :]
    framer = StreamFramer()
    assert framer.feed(noise[:cut]) + framer.feed(noise[cut:] + TWO) == [*expected, TWO]


@pytest.mark.parametrize("noise", [b"\n", b"\r", b"\r\n\n", b"\r\r\n"])
def test_a_flood_of_stray_line_breaks_is_dropped_in_one_step(
    noise: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0
    step = StreamFramer._next

    def counted(framer: StreamFramer) -> bytes | Ping | None:
        nonlocal steps
        steps += 1
        return step(framer)

    monkeypatch.setattr(StreamFramer, "_next", counted)
    assert StreamFramer().feed(noise * (MAX_MESSAGE // len(noise)) + b"\n" + TWO) == [TWO]
    assert steps < 5


@pytest.mark.parametrize(
    "data",
    [
        b"OPTIONS sip:a@b SIP/2.0\r\n\r\n",
        b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: -1\r\n\r\n",
        b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 1\r\nl: 1\r\n\r\nx",
        b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 65536\r\n\r\n",
        b"OPTIONS sip:a@b SIP/2.0\r\nSubject: x\r\n Content-Length: 0\r\n\r\n",
        b"OPTIONS sip:a@b SIP/2.0\r\nl: 1\r\n 2\r\n\r\n123456789012",
        b"x" * (MAX_MESSAGE + 1),
    ],
)
def test_a_stream_that_cannot_be_cut_is_refused(data: bytes) -> None:
    with pytest.raises(SipError):
        StreamFramer().feed(data)


@pytest.mark.parametrize(
    "length",
    [
        b"Content-Length: 3",
        b"l:3",
        b"CONTENT-LENGTH \t:  003  ",
        b"l:\r\n 3",
        b"l: 3\r\n\t",
        b"Subject: x\r\n Content-Length: 9\r\nl: 3",
    ],
)
def test_the_framer_and_the_parser_agree_on_the_length(length: bytes) -> None:
    message = b"OPTIONS sip:a@b SIP/2.0\r\n" + length + b"\r\n\r\n123"
    assert StreamFramer().feed(message + TWO) == [message, TWO]
    assert parse_message(message + TWO).body == b"123"


def test_a_body_that_comes_byte_by_byte_costs_no_second_look_at_the_headers() -> None:
    head = b"OPTIONS sip:a@b SIP/2.0\r\n" + b"X: y\r\n" * 5000 + b"Content-Length: 30000\r\n\r\n"
    framer = StreamFramer()
    began = time.perf_counter()
    found = framer.feed(head)
    for _ in range(30_000):
        found += framer.feed(b"x")
    assert found == [head + b"x" * 30_000]
    assert time.perf_counter() - began < 2.0  # 20 ms; with a second look a minute


def test_a_lone_line_break_between_messages_is_dropped() -> None:
    assert StreamFramer().feed(b"\r\n" + TWO) == [TWO]


@given(st.binary(max_size=200))
def test_random_bytes_raise_only_the_one_exception(data: bytes) -> None:
    try:
        StreamFramer().feed(data)
    except SipError:
        return
