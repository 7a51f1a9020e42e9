"""Which lines of a description are about its transport, and so belong to one leg only."""

from .sdp import attribute

BRIDGED_MEDIA = ("audio", "video", "text")
"""What the bridge carries: RTP. Everything else (image, application, message) gets port 0."""

PLAIN = {"RTP/AVP": "UDP/TLS/RTP/SAVP", "RTP/AVPF": "UDP/TLS/RTP/SAVPF"}
"""RTP profiles of phones, and what they are called between nodes (RFC 5764 section 8)."""

SECURE = {secure: plain for plain, secure in PLAIN.items()}

KEYED = {"RTP/SAVP": "RTP/AVP", "RTP/SAVPF": "RTP/AVPF"}
"""RTP profiles of phones whose descriptions carry the keys (RFC 4568), and what they are without."""

PHONE_CRYPTO = "fc-phone-crypto"
"""Our own attribute between nodes: the keys of the phones' SRTP from end to end (`far_keys.py`)."""

TRANSPORT_ATTRIBUTES = frozenset(
    {
        # RTCP ports and multiplexing: RFC 3605, RFC 5761, RFC 8858
        *("rtcp", "rtcp-mux", "rtcp-mux-only"),
        # ICE: RFC 8839, RFC 8840
        *("candidate", "end-of-candidates", "remote-candidates", "ice-ufrag", "ice-pwd", "ice-options"),
        *("ice-lite", "ice-mismatch", "ice-pacing"),
        # DTLS and its bindings: RFC 8122, RFC 8842, RFC 8827
        *("fingerprint", "setup", "connection", "tls-id", "identity"),
        # other keys: RFC 4568, RFC 4567, our own
        *("crypto", "key-mgmt", PHONE_CRYPTO),
        # choices of transport (RFC 5939), multicast sources (RFC 4570), the later m-lines of a BUNDLE
        *("tcap", "acap", "pcfg", "acfg", "csup", "creq", "source-filter", "bundle-only"),
    }
)

_AFTER_CONNECTION = ("b=", "t=", "r=", "z=", "a=")


def with_connection(session: tuple[str, ...], address: str) -> tuple[str, ...]:
    """Return session lines with `c=IN address` where it belongs: behind s=, i=, u=, e= and p= (RFC 8866)."""
    at = next((at for at, line in enumerate(session) if line[:2] in _AFTER_CONNECTION), len(session))
    return (*session[:at], f"c=IN {address}", *session[at:])


def without_transport(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return the lines without c=, k=, the attributes above and BUNDLE groups; the others verbatim."""
    return tuple(line for line in lines if not _is_transport(line))


def _is_transport(line: str) -> bool:
    if line[:2] in ("c=", "k="):
        return True
    pair = attribute(line)
    if pair is None:
        return False
    name, value = pair
    return name in TRANSPORT_ATTRIBUTES or (name == "group" and value.split(" ")[0] == "BUNDLE")
