"""The transport of each section on its own, as application/trickle-ice-sdpfrag (RFC 8840).

The shape is RFC 8840's, with `a=fingerprint` and `a=setup` beside the ICE credentials, so that DTLS can start
before the answer is there. Sections stand in the order of the offer; `a=mid` holds the zero-based index.
"""

from collections.abc import Iterable

from .errors import MediaRefused
from .sdp import attribute
from .transport import Transport

CONTENT_TYPE = "application/trickle-ice-sdpfrag"
MAX_BYTES = 16_384
MAX_SECTIONS = 16


def build(sections: Iterable[tuple[int, str, Transport]]) -> bytes:
    """Write (index, media, transport) of each live section."""
    lines = ["a=ice-options:trickle"]
    for index, media, transport in sections:
        lines += [f"m={media} 9 UDP/TLS/RTP/SAVP 0", f"a=mid:{index}", *transport.lines()]
    return "\r\n".join((*lines, "")).encode("ascii")


def parse(data: bytes) -> dict[int, Transport]:
    """Return each section's transport by index. Raise `MediaRefused` when malformed or too large."""
    if len(data) > MAX_BYTES or not data.isascii():
        raise MediaRefused("The other node's transport is malformed", status=400)
    sections: list[list[tuple[str, str]]] = []
    for line in data.decode("ascii").replace("\r\n", "\n").split("\n"):
        if line.startswith("m="):
            sections.append([])
        elif sections and (pair := attribute(line)):
            sections[-1].append(pair)
        elif line and not line.startswith("a="):
            raise MediaRefused("The other node's transport is malformed", status=400)
    if not 0 < len(sections) <= MAX_SECTIONS:
        raise MediaRefused("The other node's transport is malformed", status=400)
    found = {_index(section): Transport.parse(section) for section in sections}
    if len(found) != len(sections):
        raise MediaRefused("The other node's transport names a section twice", status=400)
    return found


def _index(section: list[tuple[str, str]]) -> int:
    mids = [value for name, value in section if name == "mid"]
    if len(mids) != 1 or not mids[0].isdigit() or len(mids[0]) > 2:
        raise MediaRefused("The other node's transport names no section", status=400)
    return int(mids[0])
