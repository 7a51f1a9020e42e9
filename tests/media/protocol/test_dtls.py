"""What phones say of DTLS in a description, and which association both sides mean by it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.errors import MediaRefused
from media.protocol.dtls import Association, Dtls, agreed
from media.protocol.phone_side import OwnPort, dtls_of, for_phone, phone_media, plain_media, without_dtls
from media.protocol.sdp import SessionDescription
from media.protocol.transport import Setup

HASH = ":".join(["AB"] * 32)
OTHER_HASH = ":".join(["CD"] * 32)
SETUPS: tuple[Setup, ...] = ("actpass", "active", "passive")
KEY = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n"

statements = st.builds(
    Dtls,
    st.binary(min_size=32, max_size=32),
    st.sampled_from(SETUPS),
    st.just("") | st.from_regex(r"[A-Za-z0-9+/_-]{20,255}", fullmatch=True),
    st.just("UDP/TLS/RTP/SAVPF"),
)


def sdp(below: str = "", *, above: str = "", profile: str = "UDP/TLS/RTP/SAVPF") -> SessionDescription:
    """Return a phone's description."""
    head = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n"
    return SessionDescription.parse(f"{head}{above}m=audio 5000 {profile} 0\r\n{below}".encode())


def said(fingerprint: str = HASH, setup: str = "actpass") -> str:
    return f"a=fingerprint:SHA-256 {fingerprint}\r\na=setup:{setup}\r\n"


@given(statements)
def test_what_is_written_is_read(dtls: Dtls) -> None:
    lines = (line.removeprefix("a=").partition(":") for line in dtls.lines())
    assert Dtls.parse(((name, value) for name, _, value in lines), dtls.profile) == dtls


@given(st.lists(st.tuples(st.sampled_from(["fingerprint", "setup", "tls-id", "x"]), st.text(max_size=300))))
def test_nonsense_is_refused_and_raises_nothing_else(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(MediaRefused):
        Dtls.parse(pairs, "UDP/TLS/RTP/SAVP")


@pytest.mark.parametrize("profile", ["UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF", "RTP/SAVP", "RTP/SAVPF"])
@pytest.mark.parametrize("place", ["above", "below"])
def test_it_may_stand_in_the_session_or_in_the_section_of_each_profile(profile: str, place: str) -> None:
    description = sdp(profile=profile, **{place: said()})
    (side,) = phone_media(description)
    assert side is not None
    assert side.dtls == Dtls(b"\xab" * 32, "actpass", profile=profile)
    assert side.keys == ()


def test_the_section_counts_more_than_the_session() -> None:
    (side,) = phone_media(sdp(f"a=setup:active\r\na=fingerprint:sha-256 {OTHER_HASH}\r\n", above=said()))
    assert side is not None
    assert side.dtls is not None
    assert (side.dtls.fingerprint, side.dtls.setup) == (b"\xcd" * 32, "active")


def test_fingerprints_by_other_hashes_may_stand_beside_it() -> None:
    (side,) = phone_media(sdp(f"a=fingerprint:sha-1 {':'.join(['01'] * 20)}\r\n" + said()))
    assert side is not None


@pytest.mark.parametrize(
    "below",
    [
        "",
        "a=setup:actpass\r\n",
        f"a=fingerprint:sha-256 {HASH}\r\n",
        said(setup="holdconn"),
        said(setup="ACTPASS"),
        said() + "a=setup:active\r\n",
        said(HASH[3:]),
        said(HASH.replace("AB", "XY")),
        said() + f"a=fingerprint:sha-256 {OTHER_HASH}\r\n",
        f"a=fingerprint:sha-1 {':'.join(['01'] * 20)}\r\na=setup:active\r\n",
        f"a=fingerprint:sha-512 {':'.join(['01'] * 64)}\r\na=setup:active\r\n",
        said() + "a=tls-id:short\r\n",
        said() + f"a=tls-id:{'a' * 20}\r\na=tls-id:{'b' * 20}\r\n",
    ],
)
def test_what_is_missing_doubtful_or_malformed_is_refused(below: str) -> None:
    with pytest.raises(MediaRefused) as refused:
        phone_media(sdp(below))
    assert refused.value.status == 488


def test_keys_in_the_description_go_first_and_beside_plain_rtp_nothing_of_it_counts() -> None:
    (keyed,) = phone_media(sdp(KEY + said(), profile="RTP/SAVP"))
    (plain,) = phone_media(sdp(KEY + said(), profile="RTP/AVP"))
    assert keyed is not None
    assert plain is not None
    assert keyed.keys
    assert (keyed.dtls, plain.dtls, plain.keys) == (None, None, ())


@pytest.mark.parametrize("below", [KEY, said()])
def test_who_takes_plain_rtp_only_is_asked_for_no_more(below: str) -> None:
    with pytest.raises(MediaRefused, match="no place here"):
        plain_media(sdp(below, profile="RTP/SAVP"))
    assert plain_media(sdp(below, profile="RTP/AVP")) == phone_media(sdp(below, profile="RTP/AVP"))


def test_ice_and_dtls_of_a_phone_go_no_further() -> None:
    more = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=candidate:1 1 UDP 1 192.0.2.7 5000 typ host\r\n"
    description = sdp(said() + more + "a=tls-id:" + "t" * 20 + "\r\na=rtcp-mux\r\na=ptime:20\r\n")
    sides = phone_media(description)
    told = bytes(for_phone(without_dtls(description, sides), "127.0.0.1", [OwnPort(6000)]))
    assert b"m=audio 6000 RTP/AVP 0\r\na=ptime:20\r\n" in told
    for word in (b"ice", b"candidate", b"fingerprint", b"setup", b"tls-id", b"mux"):
        assert word not in told


@pytest.mark.parametrize("profile", ["RTP/AVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP"])
def test_an_answer_has_the_profile_of_the_offer(profile: str) -> None:
    answer, offer = sdp(said()), sdp(profile=profile)
    assert without_dtls(answer, phone_media(answer), offer).media[0].profile == profile
    plain = sdp(profile="RTP/AVPF")
    assert without_dtls(plain, phone_media(plain), offer) == plain


@pytest.mark.parametrize("theirs", ["", "RTP/SAVP", "UDP/TLS/RTP/SAVPF"])
def test_a_phone_is_told_in_its_own_profile(theirs: str) -> None:
    own = Dtls(b"\x01" * 32, "passive", "t" * 20, theirs)
    told = for_phone(sdp(profile="UDP/TLS/RTP/SAVP"), "127.0.0.1", [OwnPort(6000, True, dtls=own)])
    expected = theirs or "UDP/TLS/RTP/SAVP"
    assert told.media[0].profile == expected
    assert dtls_of(told, told.media[0]) == Dtls(own.fingerprint, "passive", own.tls_id, expected)
    assert told.media[0].has("rtcp-mux")


@pytest.mark.parametrize(("setup", "is_server"), [("actpass", True), ("active", True), ("passive", False)])
def test_the_node_is_the_server_wherever_the_phone_lets_it(setup: Setup, *, is_server: bool) -> None:
    theirs = Dtls(b"\x01" * 32, setup)
    assert agreed(theirs, None) == Association(theirs, is_server)


@pytest.mark.parametrize("is_server", [True, False])
@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize("is_other_certificate", [True, False])
@pytest.mark.parametrize("is_other_id", [True, False])
def test_an_association_stays_until_certificate_role_or_id_change(
    setup: Setup, *, is_server: bool, is_other_certificate: bool, is_other_id: bool
) -> None:
    first = Dtls(b"\x01" * 32, "actpass", "t" * 20, "UDP/TLS/RTP/SAVP")
    standing = Association(first, is_server)
    later = Dtls(
        b"\x02" * 32 if is_other_certificate else first.fingerprint,
        setup,
        "u" * 20 if is_other_id else first.tls_id,
        "UDP/TLS/RTP/SAVPF",
    )
    changes_role = setup == ("passive" if is_server else "active")
    stays = not (is_other_certificate or is_other_id or changes_role)
    assert (agreed(later, standing) is standing) is stays
