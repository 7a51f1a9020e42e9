"""The mesh's side of a description: ICE, DTLS-SRTP and multiplexed RTCP for each section, no BUNDLE.

No address of ours stands in it but in candidates: c= is 0.0.0.0, m= ports are 9 (RFC 8840 section 4.1),
and the address of o= is blanked, since to a stranger no address leaves before pick-up.
"""

from collections.abc import Sequence

from .errors import MediaRefused
from .phone_side import PhoneMedia
from .sdp import MediaDescription, SessionDescription
from .transport import Transport
from .transport_lines import BRIDGED_MEDIA, KEYED, PLAIN, SECURE, with_connection, without_transport

_NO_ADDRESS = "IP4 0.0.0.0"
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
_HELD = {"sendrecv": "sendonly", "recvonly": "inactive", "sendonly": "sendonly", "inactive": "inactive"}


def for_mesh(
    description: SessionDescription,
    phone: Sequence[PhoneMedia | None],
    transports: Sequence[Transport | None],
) -> SessionDescription:
    """Turn a phone's description into one for the mesh. None in `transports` gives port 0."""
    session = with_connection(tuple(map(_without_address, without_transport(description.lines))), _NO_ADDRESS)
    whole = _session_direction(description)
    media = (
        _for_mesh(section, side, transport, whole)
        for section, side, transport in zip(description.media, phone, transports, strict=True)
    )
    return SessionDescription(session, tuple(media))


def _for_mesh(
    section: MediaDescription, phone: PhoneMedia | None, transport: Transport | None, direction: str
) -> MediaDescription:
    plain = KEYED.get(section.profile, section.profile)
    profile = PLAIN.get(plain, plain)
    lines = without_transport(section.lines)
    if transport is None:
        return MediaDescription(section.media, 0, profile, section.formats, lines)
    if phone is not None and phone.host is None:
        lines = _held(lines, direction)
    lines = (*lines, "a=rtcp-mux", *transport.lines())
    return MediaDescription(section.media, 9, profile, section.formats, lines)


def _held(lines: tuple[str, ...], direction: str) -> tuple[str, ...]:
    """Say hold in today's words where the phone said c=0.0.0.0 (RFC 3264 section 8.4)."""
    own = next((line[2:] for line in lines if line[2:] in _DIRECTIONS and line.startswith("a=")), direction)
    rest = tuple(line for line in lines if line not in tuple(f"a={name}" for name in _DIRECTIONS))
    return (*rest, f"a={_HELD[own]}")


def _session_direction(description: SessionDescription) -> str:
    return next((name for name, _ in description.attributes() if name in _DIRECTIONS), "sendrecv")


def _without_address(line: str) -> str:
    """Blank the address of o=; user, session id and version stay (RFC 8866 section 5.2)."""
    if not line.startswith("o="):
        return line
    fields = line.split(" ")
    return " ".join((*fields[:3], "IN", _NO_ADDRESS)) if len(fields) == 6 else line


def mesh_transports(description: SessionDescription) -> tuple[Transport | None, ...]:
    """Return the transport of each section; None where it is off or no bridge carries it.

    Raise `MediaRefused` when a live section is not encrypted in the one way that nodes use.
    """
    session = tuple(pair for pair in description.attributes() if pair[0] in ("fingerprint", "setup"))
    transports = tuple(_transport(section, session) for section in description.media)
    if not any(transports):
        raise MediaRefused("The other side left nothing on that can be carried")
    return transports


def _transport(section: MediaDescription, session: tuple[tuple[str, str], ...]) -> Transport | None:
    if section.port == 0 or section.media not in BRIDGED_MEDIA:
        return None
    if section.profile not in SECURE or not section.has("rtcp-mux"):
        raise MediaRefused("The other node does not encrypt its media as nodes do")
    below = tuple(section.attributes())
    named = {name for name, _ in below}
    return Transport.parse((*below, *(pair for pair in session if pair[0] not in named)))
