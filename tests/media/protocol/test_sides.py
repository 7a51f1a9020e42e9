"""Between the phone's and the mesh's description only transport lines differ."""

import pytest

from media.protocol.candidate import Candidate
from media.protocol.errors import MediaRefused
from media.protocol.mesh_side import for_mesh, mesh_transports
from media.protocol.phone_side import OwnPort, for_phone, phone_media
from media.protocol.sdp import SessionDescription
from media.protocol.transport import Transport

TRANSPORT = Transport(
    "ufrag123", "p" * 24, bytes(range(32)), "actpass", (Candidate("1", 99, "192.0.2.1", 5000),), complete=True
)

PHONE = b"""v=0
o=alice 53655765 2353687637 IN IP4 192.168.1.23
s=a call
i=with much in it
c=IN IP4 192.168.1.23
b=AS:128
t=0 0
a=group:BUNDLE 0 1
a=group:LS 0 1
a=ice-options:trickle
a=tool:phone 1.0
m=audio 40000 RTP/AVP 96 0 101
c=IN IP4 192.168.1.24
a=rtcp:40007 IN IP4 192.168.1.24
a=rtpmap:96 opus/48000/2
a=fmtp:96 useinbandfec=1
a=ice-ufrag:abcd
a=candidate:1 1 UDP 2130706431 192.168.1.24 40000 typ host
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=ssrc:1234 cname:alice
a=mid:0
a=zrtp-hash:1.10 fe30efd02423cb054e50efd0248742ac7a52c8f91bc2df881ae642c371ba46df
m=video 0 RTP/AVP 97
m=image 5000 udptl t38
a=T38FaxVersion:0
""".replace(b"\n", b"\r\n")


def test_to_the_mesh_only_transport_lines_change() -> None:
    offer = SessionDescription.parse(PHONE)
    mesh = bytes(for_mesh(offer, phone_media(offer), [TRANSPORT, None, None])).decode()
    assert mesh.replace("\r\n", "\n") == (
        """v=0
o=alice 53655765 2353687637 IN IP4 0.0.0.0
s=a call
i=with much in it
c=IN IP4 0.0.0.0
b=AS:128
t=0 0
a=group:LS 0 1
a=tool:phone 1.0
m=audio 9 UDP/TLS/RTP/SAVP 96 0 101
a=rtpmap:96 opus/48000/2
a=fmtp:96 useinbandfec=1
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=ssrc:1234 cname:alice
a=mid:0
a=zrtp-hash:1.10 fe30efd02423cb054e50efd0248742ac7a52c8f91bc2df881ae642c371ba46df
a=rtcp-mux
a=ice-ufrag:ufrag123
a=ice-pwd:pppppppppppppppppppppppp
a=fingerprint:sha-256 """
        + bytes(range(32)).hex(":").upper()
        + """
a=setup:actpass
a=candidate:1 1 udp 99 192.0.2.1 5000 typ host
a=end-of-candidates
m=video 0 UDP/TLS/RTP/SAVP 97
m=image 0 udptl t38
a=T38FaxVersion:0
"""
    )


def test_there_and_back_gives_the_phone_all_but_the_transport() -> None:
    offer = SessionDescription.parse(PHONE)
    mesh = SessionDescription.parse(bytes(for_mesh(offer, phone_media(offer), [TRANSPORT, None, None])))
    assert mesh_transports(mesh) == (TRANSPORT, None, None)
    phone = bytes(for_phone(mesh, "127.0.0.1", [OwnPort(6000, mux=True), None, None])).decode().split("\r\n")
    assert "c=IN IP4 127.0.0.1" in phone
    assert "m=audio 6000 RTP/AVP 96 0 101" in phone
    assert "m=video 0 RTP/AVP 97" in phone
    assert "m=image 0 udptl t38" in phone
    assert "a=rtcp-mux" in phone
    assert "a=zrtp-hash:1.10 fe30efd02423cb054e50efd0248742ac7a52c8f91bc2df881ae642c371ba46df" in phone
    leaked = ("a=ice", "a=fingerprint", "a=setup", "a=candidate", "a=end-of", "a=crypto")
    assert not any(line.startswith(leaked) for line in phone)


def test_the_phone_says_where_rtp_and_rtcp_go() -> None:
    (audio, *others) = phone_media(SessionDescription.parse(PHONE))
    assert audio is not None
    assert (audio.host, audio.port, audio.rtcp_port, audio.mux) == ("192.168.1.24", 40000, 40007, False)
    assert others == [None, None]


def test_an_old_style_hold_is_said_in_todays_words() -> None:
    offer = SessionDescription.parse(
        PHONE.replace(b"192.168.1.23", b"0.0.0.0").replace(b"192.168.1.24", b"0.0.0.0")
    )
    media = phone_media(offer)
    assert media[0] is not None
    assert media[0].host is None
    assert b"a=sendonly\r\n" in bytes(for_mesh(offer, media, [TRANSPORT, None, None]))


def test_an_ipv6_node_names_its_address_as_such() -> None:
    offer = SessionDescription.parse(PHONE)
    assert b"c=IN IP6 ::1\r\n" in bytes(for_phone(offer, "::1", [OwnPort(6000), None, None]))


@pytest.mark.parametrize("profile", [b"RTP/SAVP", b"RTP/SAVPF"])
def test_a_phone_with_keys_of_its_own_may_encrypt_up_to_here_and_the_mesh_hears_nothing_of_it(
    profile: bytes,
) -> None:
    offer = SessionDescription.parse(PHONE.replace(b"RTP/AVP", profile))
    sides = phone_media(offer)
    assert sides[0] is not None
    assert [(key.tag, key.suite, len(key.key)) for key in sides[0].keys] == [
        (1, "AES_CM_128_HMAC_SHA1_80", 30)
    ]
    assert "d0Rm" not in repr(sides)
    mesh = bytes(for_mesh(offer, sides, [TRANSPORT, None, None]))
    assert b"UDP/TLS/" + profile + b" " in mesh
    assert b"crypto" not in mesh
    answer = for_phone(
        SessionDescription.parse(mesh), "127.0.0.1", [OwnPort(6000, keys=sides[0].keys), None, None]
    )
    assert b"m=audio 6000 " + profile + b" 96 0 101\r\n" in bytes(answer)
    assert b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0Rm" in bytes(answer)


def test_a_phone_that_encrypts_in_a_way_that_this_node_lacks_is_told_which_it_has() -> None:
    with pytest.raises(MediaRefused, match="SRTP with AES-CM or AES-GCM"):
        phone_media(SessionDescription.parse(PHONE.replace(b"RTP/AVP", b"RTP/SAVP").replace(b"_80", b"_81")))


@pytest.mark.parametrize("profile", [b"DCCP/TLS/RTP/SAVP", b"TCP/RTP/AVP"])
def test_a_phone_that_insists_on_its_own_encryption_is_told_so(profile: bytes) -> None:
    with pytest.raises(MediaRefused, match="own media encryption") as refused:
        phone_media(SessionDescription.parse(PHONE.replace(b"RTP/AVP", profile)))
    assert refused.value.status == 488


def test_a_phone_with_a_host_name_or_a_multicast_group_for_address_is_refused() -> None:
    for address in (b"phone.example", b"224.0.0.1/127"):
        with pytest.raises(MediaRefused, match="no address"):
            phone_media(
                SessionDescription.parse(PHONE.replace(b"IP4 192.168.1.24\r", b"IP4 " + address + b"\r"))
            )


def test_a_description_with_nothing_to_carry_is_refused() -> None:
    with pytest.raises(MediaRefused, match="no sound"):
        phone_media(SessionDescription.parse(PHONE.replace(b"m=audio 40000", b"m=audio 0")))


def mesh_offer() -> bytes:
    offer = SessionDescription.parse(PHONE)
    return bytes(for_mesh(offer, phone_media(offer), [TRANSPORT, None, None]))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"UDP/TLS/RTP/SAVP", b"RTP/AVP"),
        (b"a=rtcp-mux\r\n", b""),
        (b"a=fingerprint:sha-256", b"a=fingerprint:sha-1"),
        (b"a=setup:actpass", b"a=setup:holdconn"),
        (b"a=setup:actpass", b"a=setup:actpass\r\na=setup:active"),
        (b"a=ice-pwd:pppppppp", b"a=ice-pwd:p p"),
        (b"a=ice-ufrag:ufrag123\r\n", b""),
        (b"a=candidate:1 1 udp 99", b"a=candidate:1 1 udp x"),
        (
            b"a=candidate:1 1 udp 99 192.0.2.1 5000 typ host\r\n",
            b"a=candidate:1 1 udp 9 10.0.0.1 5 typ host\r\n" * 40,
        ),
    ],
)
def test_a_mesh_section_that_is_not_encrypted_the_one_way_is_refused(old: bytes, new: bytes) -> None:
    data = mesh_offer()
    assert old in data
    with pytest.raises(MediaRefused):
        mesh_transports(SessionDescription.parse(data.replace(old, new)))
