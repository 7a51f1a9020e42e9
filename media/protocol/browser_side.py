"""A browser's side of a description: WebRTC (RFC 8829) turned into what a plain phone says, and back.

Only transport lines change, as on the mesh; codecs, payload types, extensions and SSRCs stay. Towards the plain
side the profile is RTP/AVP, which every phone takes; an answer keeps the profile that was offered.
"""

from collections.abc import Sequence
from dataclasses import replace

from .errors import MediaRefused
from .mesh_side import for_mesh, mesh_transports
from .phone_side import PLAIN_PROFILE, OwnPort, PhoneMedia, for_phone
from .sdp import SessionDescription
from .transport import Transport

BROWSER_PROFILE = "UDP/TLS/RTP/SAVPF"


def browser_transports(description: SessionDescription) -> tuple[Transport | None, ...]:
    """Return the transport of each section; None where it is off. Raise `MediaRefused` in the browser's name."""
    try:
        return mesh_transports(description)
    except MediaRefused as refused:
        raise MediaRefused(
            "The browser describes its media in a way that this node does not know"
        ) from refused


def for_browser(
    description: SessionDescription,
    plain: Sequence[PhoneMedia | None],
    transports: Sequence[Transport | None],
) -> SessionDescription:
    """Turn a plain description into the browser's: ICE and DTLS-SRTP for each live section, no BUNDLE."""
    return _with_profiles(for_mesh(description, plain, transports), [BROWSER_PROFILE] * len(transports))


def for_plain(
    description: SessionDescription, host: str, ports: Sequence[OwnPort | None], profiles: Sequence[str] = ()
) -> SessionDescription:
    """Turn a browser's description into a plain one; `profiles` are those of the offer that it answers."""
    return _with_profiles(for_phone(description, host, ports), profiles or [PLAIN_PROFILE] * len(ports))


def _with_profiles(description: SessionDescription, profiles: Sequence[str]) -> SessionDescription:
    """Return it with other profiles; a section that is off keeps its own."""
    media = zip(description.media, profiles, strict=True)
    return description.with_media(
        tuple(replace(section, profile=profile) if section.port else section for section, profile in media)
    )
