"""The o= line of a dialog whose other party changes."""

from hypothesis import given
from hypothesis import strategies as st

from sipgate.protocol.origin import Origin, unheld


def sdp(user: str, session: int, version: int, rest: str = "") -> bytes:
    return f"v=0\r\no={user} {session} {version} IN IP4 10.0.0.1\r\ns=-\r\nm=audio 9 RTP/AVP 0\r\n{rest}".encode()


def test_one_party_is_passed_on_as_it_is() -> None:
    origin = Origin()
    for version in (3, 3, 4, 9):
        text = sdp("a", 1, version, f"a=x-{version}\r\n")
        assert origin.follow(text) == text


def test_another_party_goes_on_as_the_first() -> None:
    origin = Origin()
    origin.follow(sdp("a", 1, 3))
    assert origin.follow(sdp("b", 7, 7)) == sdp("a", 1, 4)
    assert origin.follow(sdp("b", 7, 8)) == sdp("a", 1, 5)


def test_the_same_again_is_the_same_again() -> None:
    origin = Origin()
    origin.follow(sdp("a", 1, 3))
    assert origin.follow(sdp("b", 7, 7)) == origin.follow(sdp("b", 7, 7)) == sdp("a", 1, 4)


def test_what_has_no_origin_is_left_alone() -> None:
    assert Origin().follow(b"v=0\r\n") == b"v=0\r\n"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.integers(0, 5)), min_size=1))
def test_the_session_never_changes_and_the_version_never_falls(said: list[tuple[str, int, int]]) -> None:
    origin = Origin()
    lines = [origin.follow(sdp(*each)).split(b"\r\n")[1].split(b" ") for each in said]
    assert len({(line[0], line[1]) for line in lines}) == 1
    versions = [int(line[2]) for line in lines]
    assert versions == sorted(versions)


def test_a_description_is_taken_off_hold() -> None:
    held = sdp("a", 1, 1, "a=sendonly\r\na=rtpmap:0 PCMU/8000\r\na=inactive\r\n")
    assert unheld(held) == sdp("a", 1, 1, "a=rtpmap:0 PCMU/8000\r\n")
    assert unheld(sdp("a", 1, 1)) == sdp("a", 1, 1)
