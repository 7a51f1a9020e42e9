"""The phone's side of a description: where it takes RTP, and the lines it gets in place of the mesh's.

RTP/AVP and RTP/AVPF; RTP/SAVP and RTP/SAVPF with keys (SDES); UDP/TLS/RTP/SAVP and UDP/TLS/RTP/SAVPF with a
fingerprint (DTLS), or so in RTP/SAVP(F) without usable keys. What else a phone offers (ICE, BUNDLE, keys beside plain
RTP) is optional there and is taken out; one that insists on encryption of another kind is refused, in words.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from .dtls import ATTRIBUTES, Dtls
from .errors import MediaRefused
from .sdes import Crypto, usable
from .sdp import MediaDescription, SessionDescription
from .transport_lines import BRIDGED_MEDIA, KEYED, PLAIN, SECURE, with_connection, without_transport

PLAIN_PROFILE = "RTP/AVP"
_CONNECTION = re.compile(r"IN (IP[46]) ([^ /]{1,64})(?:/.*)?")
_RTCP = re.compile(r"([0-9]{1,5})(?: IN IP[46] ([^ ]{1,64}))?")


@dataclass(frozen=True)
class PhoneMedia:
    """Where a phone takes one section's RTP and RTCP. `host` is None on hold in the old way (RFC 2543).

    `keys` are those for SRTP that it offers or has chosen, or they come by `dtls`; without either its RTP is plain.
    """

    host: str | None
    port: int
    rtcp_port: int
    mux: bool
    keys: tuple[Crypto, ...] = ()
    dtls: Dtls | None = None


@dataclass(frozen=True)
class OwnPort:
    """What we tell the phone about one live section: our RTP port, whether RTCP shares it, our keys if it is SRTP."""

    port: int
    mux: bool = False
    keys: tuple[Crypto, ...] = ()
    dtls: Dtls | None = None


def phone_media(description: SessionDescription) -> tuple[PhoneMedia | None, ...]:
    """Return each section's place to send to; None for one that is off or that no bridge carries.

    Raise `MediaRefused` when the phone insists on its own encryption, or when nothing is left to carry.
    """
    sections = tuple(_phone_media(description, section) for section in description.media)
    if not any(sections):
        raise MediaRefused("The phone offers no sound or picture that can be carried")
    return sections


def _phone_media(description: SessionDescription, section: MediaDescription) -> PhoneMedia | None:
    if section.port == 0 or section.media not in BRIDGED_MEDIA:
        return None
    if not any(section.profile in known for known in (PLAIN, KEYED, SECURE)):
        raise MediaRefused("The phone insists on its own media encryption: turn it off for this account")
    keys = keys_of(section) if section.profile in KEYED else ()
    dtls = dtls_of(description, section) if not keys else None
    if section.profile in KEYED and not keys and dtls is None:
        raise MediaRefused(
            "The phone offers no encryption that this node has: SRTP with AES-CM or AES-GCM (SDES or DTLS)"
        )
    host = _host(section.connection() or description.connection())
    rtcp = _RTCP.fullmatch(section.get("rtcp") or "")
    rtcp_port = int(rtcp[1]) if rtcp and 0 < int(rtcp[1]) < 65_536 else min(section.port + 1, 65_535)
    return PhoneMedia(host, section.port, rtcp_port, section.has("rtcp-mux"), keys, dtls)


def plain_media(description: SessionDescription) -> tuple[PhoneMedia | None, ...]:
    """Return the same of a side that takes plain RTP only; raise `MediaRefused` when it asks for more."""
    sections = phone_media(description)
    if any(side is not None and (side.keys or side.dtls) for side in sections):
        raise MediaRefused("Encrypted media has no place here")
    return sections


def dtls_of(description: SessionDescription, section: MediaDescription) -> Dtls | None:
    """Return what a section says of DTLS, itself or for the whole session; None where that does not count."""
    below = tuple(pair for pair in section.attributes() if pair[0] in ATTRIBUTES)
    named = {name for name, _ in below}
    above = tuple(pair for pair in description.attributes() if pair[0] in ATTRIBUTES and pair[0] not in named)
    has_one = section.profile in KEYED and any(name == "fingerprint" for name, _ in (*below, *above))
    return Dtls.parse((*below, *above), section.profile) if has_one or section.profile in SECURE else None


def without_dtls(
    description: SessionDescription,
    sides: Sequence[PhoneMedia | None],
    offer: SessionDescription | None = None,
) -> SessionDescription:
    """Return what a phone with DTLS says as one without would: in the profile of the `offer` that it answers.

    Or in RTP/AVP: phones with DTLS like to offer UDP/TLS/RTP/SAVPF, and not every other phone takes RTP/AVPF.
    """
    profiles = [section.profile for section in offer.media] if offer else [PLAIN_PROFILE] * len(sides)
    media = zip(description.media, sides, profiles, strict=True)
    return description.with_media(
        tuple(replace(one, profile=profile) if side and side.dtls else one for one, side, profile in media)
    )


def keys_of(section: MediaDescription) -> tuple[Crypto, ...]:
    """Return the keys in a section that can be used."""
    return usable(value for name, value in section.attributes() if name == "crypto")


@lru_cache(maxsize=256)
def _host(connection: str | None) -> str | None:
    fields = _CONNECTION.fullmatch(connection or "")
    try:
        address = ipaddress.ip_address(fields[2]) if fields else None
    except ValueError:
        address = None
    if address is None or address.is_multicast:
        raise MediaRefused("The phone names no address where it takes media")
    return None if address.is_unspecified else str(address)


def for_phone(
    description: SessionDescription, host: str, ports: Sequence[OwnPort | None]
) -> SessionDescription:
    """Turn the other side's description into the phone's: our `host`, ports and keys; None gives port 0."""
    version = ipaddress.ip_address(host).version
    media = tuple(_for_phone(section, port) for section, port in zip(description.media, ports, strict=True))
    session = with_connection(without_transport(description.lines), f"IP{version} {host}")
    return SessionDescription(session, media)


def _for_phone(section: MediaDescription, port: OwnPort | None) -> MediaDescription:
    profile = SECURE.get(section.profile, KEYED.get(section.profile, section.profile))
    lines = without_transport(section.lines)
    if port is None:
        return MediaDescription(section.media, 0, profile, section.formats, lines)
    mux = ("a=rtcp-mux",) if port.mux else ()
    described = MediaDescription(section.media, port.port, profile, section.formats, lines + mux)
    return with_dtls(described, port.dtls) if port.dtls else with_keys(described, port.keys)


def with_keys(section: MediaDescription, keys: Sequence[Crypto]) -> MediaDescription:
    """Turn a section of plain RTP into one of SRTP under one of these keys; without any it stays as it is."""
    if not keys:
        return section
    keyed = next(keyed for keyed, plain in KEYED.items() if plain == section.profile)
    return replace(section, profile=keyed, lines=(*section.lines, *(key.line() for key in keys)))


def with_dtls(section: MediaDescription, dtls: Dtls) -> MediaDescription:
    """Turn a section of plain RTP into one of SRTP under keys that come by DTLS (RFC 5764 section 8)."""
    return replace(
        section, profile=dtls.profile or PLAIN[section.profile], lines=(*section.lines, *dtls.lines())
    )
