import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipgate.protocol.errors import SipError
from sipgate.protocol.framing import Ping, StreamFramer
from sipgate.protocol.message import MAX_MESSAGE

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


@pytest.mark.parametrize(
    "data",
    [
        b"OPTIONS sip:a@b SIP/2.0\r\n\r\n",
        b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: -1\r\n\r\n",
        b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 1\r\nl: 1\r\n\r\nx",
        b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 65536\r\n\r\n",
        b"x" * (MAX_MESSAGE + 1),
    ],
)
def test_a_stream_that_cannot_be_cut_is_refused(data: bytes) -> None:
    with pytest.raises(SipError):
        StreamFramer().feed(data)


def test_a_lone_line_break_between_messages_is_dropped() -> None:
    assert StreamFramer().feed(b"\r\n" + TWO) == [TWO]


@given(st.binary(max_size=200))
def test_random_bytes_raise_only_the_one_exception(data: bytes) -> None:
    try:
        StreamFramer().feed(data)
    except SipError:
        return
