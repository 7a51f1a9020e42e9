"""What the gateway and the media read: messages, streams, URIs, headers, digest, session descriptions.

Begins with the torture messages of RFC 4475 and RFC 5118.
"""

from contextlib import suppress
from pathlib import Path

from media.protocol import fragment
from media.protocol.errors import MediaRefused
from media.protocol.far_keys import chosen_key, offered_keys
from media.protocol.mesh_side import for_mesh, mesh_transports
from media.protocol.nameless import nameless
from media.protocol.phone_side import OwnPort, for_phone, phone_media
from media.protocol.sdp import SessionDescription
from sipgate.protocol.address import Address
from sipgate.protocol.cseq import CSeq
from sipgate.protocol.digest import Credentials, Nonces, parse_fields, response_value, verify
from sipgate.protocol.errors import SipError
from sipgate.protocol.framing import StreamFramer
from sipgate.protocol.headers import parse_headers
from sipgate.protocol.media_lines import has_keys, is_encrypted
from sipgate.protocol.media_type import MediaType
from sipgate.protocol.message import MAX_MESSAGE, Request, parse_message, parse_number, reply
from sipgate.protocol.salvage import salvage
from sipgate.protocol.transaction_keys import accepted_key, client_key, merge_key, server_key, stateless_tag
from sipgate.protocol.uri import Uri
from sipgate.protocol.via import Via
from sipgate.protocol.via_rules import note_source
from tests.sipgate.protocol.views import look

from .parser import Parser, reading

VECTORS = Path(__file__).parents[2] / "tests" / "vectors"
WORDS = [
    *(
        b"\r\n",
        b"\r\n\r\n",
        b"\r\n ",
        b"\r\n\t",
        b" ",
        b"\t",
        b'"',
        b"\\",
        b'\\"',
        b"<",
        b">",
        b"<>",
        b";",
        b",",
        b"=",
        b":",
    ),
    *(
        b"@",
        b"?",
        b"%",
        b"%41",
        b"%00",
        b"[::1]",
        b"::",
        b"*",
        b"/",
        b"--",
        b".",
        b"SIP/2.0",
        b"SIP/2.0/UDP ",
        b"sip:",
        b"tel:",
    ),
    *(
        b"Via: ",
        b"From: ",
        b"Contact: ",
        b"Route: ",
        b"CSeq: ",
        b"Content-Length: ",
        b"Content-Type: multipart/mixed;boundary=b",
    ),
    *(
        b"Identity: ",
        b"Authorization: Digest ",
        b";tag=",
        b";branch=z9hG4bK",
        b";rport",
        b";maddr=",
        b"4294967296",
        b"-1",
        b"0",
    ),
    *(b"\xc3\xa9", b"\xed\xb3\xbf", b"\xd9\xa1", b"\xe2\x80\xa8"),
]
SDP_WORDS = [
    *(
        b"\r\n",
        b"\n",
        b"v=0\r\n",
        b"m=audio 9 UDP/TLS/RTP/SAVP 0",
        b"m=video 0 RTP/AVP 96",
        b"m=audio 9 RTP/SAVPF 0",
        b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
        b"a=fc-phone-crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
        b"|2^31",
        b" WSH=64",
        b"c=IN IP4 ",
        b"c=IN IP6 ",
        b"a=",
    ),
    *(
        b"a=mid:0",
        b"a=rtcp-mux",
        b"a=rtcp:9",
        b"a=setup:actpass",
        b"a=candidate:",
        b"a=fingerprint:sha-256 ",
        b"a=ice-ufrag:",
    ),
    *(
        b" typ host",
        b"0.0.0.0",
        b"224.0.0.1",
        b"::ffff:1.2.3.4",
        b"fe80::1%1",
        b"a=inactive",
        b"65536",
        b"/",
        b"-",
        b"\xff",
        b"\xb2",
    ),
]
PHONE_SDP = b"""v=0
o=- 20518 0 IN IP4 203.0.113.1
s=Talk
c=IN IP4 203.0.113.1
t=0 0
a=group:BUNDLE 0 1
m=audio 54400 RTP/AVP 0 96
a=rtpmap:96 opus/48000
a=rtcp:54401 IN IP4 203.0.113.1
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x
a=sendonly
m=video 55400 RTP/AVPF 97
c=IN IP6 ::
a=rtcp-mux
m=image 0 udptl t38
"""
MESH_SDP = b"""v=0
o=- 1 1 IN IP4 0.0.0.0
s=-
c=IN IP4 0.0.0.0
t=0 0
a=fingerprint:sha-256 %s
m=audio 9 UDP/TLS/RTP/SAVP 0
a=rtcp-mux
a=mid:0
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuv
a=setup:actpass
a=candidate:1 1 udp 2130706431 192.0.2.1 54400 typ host
a=candidate:2 1 udp 1694498815 2001:db8::1 54400 typ srflx raddr 0.0.0.0 rport 9
a=end-of-candidates
""" % b":".join([b"AB"] * 32)
CREDENTIALS = (
    b'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=MD5, '
    b'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, qop=auth, '
    b'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", '
    b'response="8ca523f5e9506fed4657c9700eebdbec", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)  # RFC 7616, section 3.9.1
CHALLENGE = b'Digest realm="mesh", nonce="a", algorithm=SHA-256, qop="auth", stale=true'
NONCES = Nonces(bytes(32))


def text_of(data: bytes) -> str:
    """Return text as it stands in a message that was read."""
    return data.decode("utf-8", "surrogateescape")


def read_message(data: bytes) -> None:
    """Do with a datagram what may be done with it: look at everything, answer, make keys; or save what can be saved."""
    look(data)
    try:
        message = parse_message(data)
    except SipError:
        salvage(data)
        raise
    start, _, rest = bytes(message).partition(b"\r\n")
    start_read, _, rest_read = data.lstrip(b"\r\n").partition(b"\r\n")
    if start.rstrip() != start_read.rstrip() or not rest_read.startswith(
        rest
    ):  # "SIP/2.0 200" gets its last space
        raise AssertionError("not written as it was read")
    client_key(message)
    accepted_key(message)
    if isinstance(message, Request):
        for make in (server_key, merge_key, stateless_tag):
            make(message)
        note_source(message, "192.0.2.9", 5062)
        bytes(reply(message, 200, tag="ours"))


def read_stream(data: bytes) -> None:
    """Cut a stream into messages, in two pieces and at once: the same comes out."""
    whole = StreamFramer().feed(data)
    framer = StreamFramer()
    if framer.feed(data[: len(data) // 2]) + framer.feed(data[len(data) // 2 :]) != whole:
        raise AssertionError("cut otherwise")


def read_uri(data: bytes) -> None:
    """Read a URI, write it, read it again."""
    uri = Uri.parse(text_of(data))
    uri.canonical()
    if Uri.parse(str(uri)) != uri:
        raise AssertionError("read back otherwise")


def read_header(data: bytes) -> None:
    """Read header lines, and each value by all grammars."""
    headers = parse_headers(text_of(data).split("\r\n"))
    for name, value in headers.items():
        headers.get_all(name)
        for parse in (Address.parse, Via.parse, CSeq.parse, MediaType.parse):
            with suppress(SipError):
                str(parse(value))
        with suppress(SipError):
            parse_number(value, name, 2**31)


def read_digest(data: bytes) -> None:
    """Read credentials or a challenge, and check them."""
    text = text_of(data)
    nonce = NONCES.issue(0.0)
    NONCES.check(text, 1, 0.0)
    with suppress(SipError):
        parse_fields(text)
    credentials = Credentials.parse(text.replace("NONCE", nonce))
    NONCES.check(credentials.nonce, credentials.count, 0.0)
    response_value(credentials, "INVITE", "secret")
    verify(credentials, "INVITE", "secret")


def read_sdp(data: bytes) -> None:
    """Read a description as a phone's and as a node's, and turn it over; or the fragment of one."""
    with suppress(MediaRefused):
        fragment.build((index, "audio", one) for index, one in fragment.parse(data).items())
    has_keys(data)
    description = SessionDescription.parse(data)
    with suppress(MediaRefused):
        side = phone_media(description)
        assert not is_encrypted(data) or all(one is None or one.keys or one.dtls for one in side), (
            "plain, and taken for SRTP"
        )
        bytes(for_mesh(description, side, [None] * len(side)))
        ports = [one and OwnPort(one.port, one.mux, one.keys[:1]) for one in side]
        assert phone_media(SessionDescription.parse(bytes(for_phone(description, "192.0.2.9", ports))))
    bytes(for_phone(description, "192.0.2.9", [None] * len(description.media)))
    assert SessionDescription.parse(bytes(nameless(description))) == nameless(description)
    for section in description.media:
        offered_keys(section)
        with suppress(MediaRefused):
            chosen_key(section)
    transports = mesh_transports(description)
    bytes(for_mesh(description, [None] * len(transports), transports))


def messages() -> list[bytes]:
    """Return the torture messages."""
    return [
        path.read_bytes()
        for folder in ("rfc4475", "rfc5118")
        for path in sorted((VECTORS / folder).glob("*.dat"))
    ]


def lines() -> list[bytes]:
    """Return each header line of the torture messages, and some together."""
    heads = [data.partition(b"\r\n\r\n")[0].partition(b"\r\n")[2] for data in messages()]
    return sorted({line for head in heads for line in head.split(b"\r\n") if len(line) < 500}) + [
        head for head in heads if len(head) < 2000
    ]


def uris() -> list[bytes]:
    """Return what stands in angle brackets and in request lines, and some more."""
    found = {data.split(b"\r\n")[0].split(b" ")[1] for data in messages() if data.count(b" ", 0, 200) > 1}
    found |= {line.partition(b"<")[2].partition(b">")[0] for line in lines() if b"<" in line}
    return sorted(
        found | {b"sip:al%69ce:pw@[2001:db8::1]:5060;transport=tcp;lr?subject=x&to=y", b"tel:+15551234;ext=1"}
    )


def digests() -> list[bytes]:
    """Return credentials, with a nonce that holds too."""
    ours = CREDENTIALS.replace(b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", b"NONCE")
    return [CREDENTIALS, CHALLENGE, ours, ours.replace(b"MD5", b"SHA-256")]


def descriptions() -> list[bytes]:
    """Return descriptions of phones and nodes, and a fragment."""
    bodies = [data.partition(b"\r\n\r\n")[2] for data in messages()]
    keys = b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^31 WSH=64\na=rtcp"
    keyed = PHONE_SDP.replace(b"RTP/AVP", b"RTP/SAVP").replace(b"a=rtcp", keys)
    own = [text.replace(b"\n", b"\r\n") for text in (PHONE_SDP, MESH_SDP, keyed)]
    piece = b"\r\n".join(
        line for line in own[1].split(b"\r\n") if line[:2] not in (b"v=", b"o=", b"s=", b"c=", b"t=")
    )
    return [*own, piece, *(body for body in bodies if body.startswith(b"v="))]


PARSERS = [
    Parser("messages", messages, reading(read_message, SipError), 2000, 5000, MAX_MESSAGE, WORDS),
    # read twice, and 64 KiB can be 16,000 pings, each to be answered
    Parser("streams", messages, reading(read_stream, SipError), 100, 30_000, MAX_MESSAGE, WORDS),
    Parser("uris", uris, reading(read_uri, SipError), 40, 1000, 4096, WORDS),
    Parser("headers", lines, reading(read_header, SipError), 400, 5000, 20_000, WORDS),
    Parser("digests", digests, reading(read_digest, SipError), 200, 5000, 20_000, WORDS),
    Parser("sdp", descriptions, reading(read_sdp, MediaRefused), 400, 10_000, 34_000, SDP_WORDS),
]
