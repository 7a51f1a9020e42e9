"""What is left of a phone's descriptions and RTCP when nothing may tell whose it is."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from media.protocol.errors import MediaRefused
from media.protocol.nameless import nameless, nameless_rtcp
from media.protocol.rtp import parts
from media.protocol.sdp import SessionDescription

from .test_rtp import report

TALKATIVE = (
    b"v=0\r\no=alice 42 7 IN IP4 192.168.1.5\r\ns=Alice at home\r\ni=Alice\r\nu=http://alice.example/\r\n"
    b"e=alice@example.org\r\np=+1 555 1234\r\nc=IN IP4 192.168.1.5\r\nb=AS:64\r\nt=0 0\r\nz=0 1h\r\n"
    b"a=tool:alice-phone\r\na=cname:alice\r\na=sendrecv\r\n"
    b"m=audio 4000 RTP/AVP 0 101\r\ni=alice's microphone\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
    b"a=ssrc:1 cname:alice@192.168.1.5\r\na=label:alice\r\na=zrtp-hash:1.10 abcd\r\na=msid:alice a\r\n"
    b"a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:cname\r\na=mid:0\r\na=ptime:20\r\na=sendonly\r\n"
)
SDES = b"\x01\x0balice@house\x02\x05Alice" + bytes(4)


def test_a_description_keeps_its_codecs_and_directions_and_no_name() -> None:
    told = bytes(nameless(SessionDescription.parse(TALKATIVE)))
    assert told == (
        b"v=0\r\no=- 42 7 IN IP4 0.0.0.0\r\ns=-\r\nc=IN IP4 192.168.1.5\r\nb=AS:64\r\nt=0 0\r\na=sendrecv\r\n"
        b"m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
        b"a=mid:0\r\na=ptime:20\r\na=sendonly\r\n"
    )


def test_an_origin_that_is_none_tells_nothing_either() -> None:
    told = nameless(SessionDescription.parse(b"v=0\r\no=alice\r\ns=-\r\n"))
    assert told.lines[1] == "o=- 0 0 IN IP4 0.0.0.0"


@given(st.text(alphabet="vosiaemtz=:- 01\r\n", max_size=200))
def test_whatever_a_phone_describes_can_be_read_again(more: str) -> None:
    try:
        told = nameless(SessionDescription.parse(f"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=x\r\n{more}".encode()))
    except MediaRefused:
        return
    assert SessionDescription.parse(bytes(told)) == told


def part(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def test_reports_and_feedback_stay_and_whatever_is_text_goes() -> None:
    first, feedback = report(200, b"ssrc", b"othr"), part(206, 1, b"ssrcothr")
    packet = first + part(202, 1, b"ssrc" + SDES) + feedback + part(204, 0, b"ssrcNAMEalic")
    assert nameless_rtcp(packet) == first + part(202, 1, b"ssrc\x01\x09anonymous\x00") + feedback


def test_a_goodbye_gives_no_reason() -> None:
    bye = part(203, 1, b"ssrc\x07alice x")
    assert nameless_rtcp(report(201, b"ssrc") + bye) == report(201, b"ssrc") + part(203, 1, b"ssrc")


def test_a_packet_of_nothing_but_text_is_nothing() -> None:
    assert nameless_rtcp(part(204, 0, b"ssrcNAMEalic")) == b""


@given(st.lists(st.tuples(st.integers(192, 223), st.integers(0, 31), st.binary(max_size=60)), max_size=6))
def test_what_is_left_is_whole(packets: list[tuple[int, int, bytes]]) -> None:
    whole = b"".join(part(kind, count, body[: len(body) // 4 * 4]) for kind, count, body in packets)
    told = nameless_rtcp(whole)
    assert (parts(told)[-1][1] if parts(told) else 0) == len(told)
    assert nameless_rtcp(told) == told
