"""A browser's descriptions made plain, and back."""

import pytest

from media.errors import MediaRefused
from media.protocol.browser_side import browser_transports, for_browser, for_plain
from media.protocol.phone_side import OwnPort, phone_media
from media.protocol.sdp import SessionDescription
from media.protocol.transport import Transport

OWN = Transport("abcd", "p" * 22, bytes(32), "actpass")
KEYS = (
    "a=rtcp-mux\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=setup:actpass\r\n"
    f"a=fingerprint:sha-256 {':'.join(['0A'] * 32)}\r\n"
)
HEAD = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
BROWSERS = (
    HEAD
    + "a=group:BUNDLE 0 1\r\n"
    + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\n"
    + KEYS
    + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\n"
    + KEYS
)
PHONES = (
    HEAD.replace("t=0 0", "c=IN IP4 192.0.2.1\r\nt=0 0")
    + "m=audio 4000 {profile} 0\r\na=ptime:20\r\na={way}\r\n"
)


def parse(text: str) -> SessionDescription:
    return SessionDescription.parse(text.encode())


def test_a_data_channel_is_turned_off_and_the_sound_made_plain() -> None:
    offer = parse(BROWSERS)
    audio, data = browser_transports(offer)
    assert audio is not None
    assert data is None
    plain = for_plain(offer, "127.0.0.1", [OwnPort(5000), None])
    assert [(each.port, each.profile) for each in plain.media] == [(5000, "RTP/AVP"), (0, "UDP/DTLS/SCTP")]
    assert plain.media[0].lines == ("a=mid:0", "a=rtpmap:111 opus/48000/2")
    assert "BUNDLE" not in bytes(plain).decode()


@pytest.mark.parametrize("profile", ["RTP/AVP", "RTP/AVPF"])
def test_an_answer_keeps_the_profile_that_was_offered(profile: str) -> None:
    offer = parse(PHONES.format(profile=profile, way="sendrecv"))
    to_browser = for_browser(offer, phone_media(offer), [OWN])
    assert to_browser.media[0].profile == "UDP/TLS/RTP/SAVPF"
    assert "192.0.2.1" not in bytes(to_browser).decode()
    answer = for_plain(to_browser, "127.0.0.1", [OwnPort(5000)], [profile])
    assert answer.media[0].profile == profile
    assert answer.media[0].lines == ("a=ptime:20", "a=sendrecv")


def test_a_phone_that_holds_in_the_old_way_holds_in_the_browsers_words() -> None:
    offer = parse(PHONES.format(profile="RTP/AVP", way="sendrecv").replace("192.0.2.1", "0.0.0.0"))
    assert "a=sendonly" in for_browser(offer, phone_media(offer), [OWN]).media[0].lines


@pytest.mark.parametrize(
    "changed",
    [
        BROWSERS.replace("a=rtcp-mux\r\n", ""),
        BROWSERS.replace("sha-256", "sha-1"),
        BROWSERS.replace("a=ice-pwd:0123456789012345678901", "a=ice-pwd:short"),
        BROWSERS.replace("UDP/TLS/RTP/SAVPF", "RTP/SAVPF"),
        BROWSERS.replace("m=audio 9", "m=audio 0"),
    ],
)
def test_anything_less_is_refused_in_the_browsers_name(changed: str) -> None:
    with pytest.raises(MediaRefused, match="The browser"):
        browser_transports(parse(changed))
