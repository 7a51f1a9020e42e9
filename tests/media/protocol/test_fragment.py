"""Transports on their own: what is written is read again, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.protocol import fragment
from media.protocol.candidate import Candidate
from media.protocol.errors import MediaRefused
from media.protocol.transport import Setup, Transport

ice_chars = st.text("abcXYZ019+/", min_size=4, max_size=32)
candidates = st.builds(
    Candidate,
    foundation=st.text("ab1+/", min_size=1, max_size=8),
    priority=st.integers(0, 2**32 - 1),
    host=st.one_of(
        st.ip_addresses(v=4).map(str),
        st.ip_addresses(v=6).map(str).filter(lambda text: "." not in text and "::ffff:" not in text),
    ),
    port=st.integers(1, 65_535),
    kind=st.sampled_from(("host", "srflx", "relay")),
)
setups: st.SearchStrategy[Setup] = st.sampled_from(("actpass", "active", "passive"))
transports = st.builds(
    Transport,
    ufrag=ice_chars,
    password=st.text("abcXYZ019+/", min_size=22, max_size=40),
    fingerprint=st.binary(min_size=32, max_size=32),
    setup=setups,
    candidates=st.lists(candidates, max_size=8).map(tuple),
    complete=st.booleans(),
)


@given(st.dictionaries(st.integers(0, 15), transports, min_size=1, max_size=4))
def test_what_is_written_is_read_again(sections: dict[int, Transport]) -> None:
    data = fragment.build((index, "audio", one) for index, one in sections.items())
    assert fragment.parse(data) == sections


@given(st.binary(max_size=200))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(MediaRefused):
        fragment.parse(data)


GOOD = fragment.build(
    [(0, "audio", Transport("abcd", "p" * 22, bytes(32), "active", (Candidate("1", 1, "10.0.0.1", 5),)))]
)


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_one_wrong_byte_is_refused_or_read(at: int, byte: int) -> None:
    try:
        parsed = fragment.parse(GOOD[:at] + bytes([byte]) + GOOD[at + 1 :])
    except MediaRefused:
        return
    assert len(parsed) == 1


@pytest.mark.parametrize(
    "data",
    [
        GOOD * 200,
        GOOD + GOOD,
        GOOD.replace(b"a=mid:0\r\n", b""),
        GOOD.replace(b"mid:0", b"mid:x"),
        b"a=x\r\n",
        GOOD + b"x",
    ],
)
def test_what_breaks_the_rules_or_the_bounds_is_refused(data: bytes) -> None:
    with pytest.raises(MediaRefused):
        fragment.parse(data)


@pytest.mark.parametrize(
    "value",
    [
        "1 1 tcp 1 10.0.0.1 5 typ host tcptype passive",
        "1 2 udp 1 10.0.0.1 5 typ host",
        "1 1 udp 1 f92b-11.local 5 typ host",
        "1 1 udp 1 ::ffff:10.0.0.1 5 typ host",
        "1 1 udp 1 fe80::1%eth0 5 typ host",
        "1 1 udp 1 10.0.0.1 0 typ host",
        "1 1 udp 1 10.0.0.1 5 typ other",
    ],
)
def test_candidates_that_we_leave_out_are_passed_over(value: str) -> None:
    assert Candidate.parse(value) is None


@pytest.mark.parametrize("host", ["224.0.0.1", "0.0.0.0", "255.255.255.255", "::", "ff02::1"])
def test_checks_are_sent_to_single_hosts_only(host: str) -> None:
    assert not Candidate("1", 1, host, 5).is_unicast
