"""The descriptions that the parties in the node offer and answer, as a plain phone would."""

from collections.abc import Mapping, Sequence

from .sdp import MediaDescription, SessionDescription
from .transport_lines import PLAIN

OFFERED_FORMATS = "0 8"
_MIRRORED = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive", "sendrecv": "sendrecv"}
_KEPT = ("rtpmap", "fmtp", "ptime", "maxptime", "rtcp-fb", "mid", "extmap")


def offer(name: str, host: str, port: int, version: int) -> SessionDescription:
    """Return an offer of G.711 audio on `port`."""
    lines = ("a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=ptime:20", "a=sendrecv")
    media = MediaDescription("audio", port, "RTP/AVP", OFFERED_FORMATS, lines)
    return SessionDescription(_session(name, host, version), (media,))


def answer(
    name: str,
    host: str,
    version: int,
    offered: SessionDescription,
    ports: Mapping[int, int],
    formats: Sequence[str],
) -> SessionDescription:
    """Return an answer that takes the sections in `ports` (index to port); other sections get port 0.

    `formats` are the payload types that the party speaks, none for all.
    """
    media = tuple(
        _answer(section, _direction(offered, section), ports.get(index, 0), formats)
        for index, section in enumerate(offered.media)
    )
    return SessionDescription(_session(name, host, version), media)


def _session(name: str, host: str, version: int) -> tuple[str, ...]:
    family = "IP6" if ":" in host else "IP4"
    return ("v=0", f"o={name} 1 {version} IN {family} {host}", "s=-", f"c=IN {family} {host}", "t=0 0")


def _direction(offered: SessionDescription, section: MediaDescription) -> str:
    names = [name for name, _ in (*section.attributes(), *offered.attributes()) if name in _MIRRORED]
    return _MIRRORED[names[0] if names else "sendrecv"]


def _answer(section: MediaDescription, direction: str, port: int, formats: Sequence[str]) -> MediaDescription:
    if port == 0 or section.profile not in PLAIN:
        return MediaDescription(section.media, 0, section.profile, section.formats)
    spoken = [kind for kind in section.formats.split(" ") if not formats or kind in formats]
    kept = (line for line in section.lines if _is_about(line, spoken))
    return MediaDescription(section.media, port, section.profile, " ".join(spoken), (*kept, f"a={direction}"))


def _is_about(line: str, formats: Sequence[str]) -> bool:
    name, _, value = line.removeprefix("a=").partition(":")
    if not line.startswith("a=") or name not in _KEPT:
        return False
    return name not in ("rtpmap", "fmtp", "rtcp-fb") or value.split(" ")[0] in (*formats, "*")
