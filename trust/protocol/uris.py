"""Mesh URIs, and those that carry the fingerprint of the key that alone may claim them."""

import base64
import re
from dataclasses import dataclass
from functools import lru_cache

from .errors import BadUri

FINGERPRINT_BYTES = 20
MAX_USER = 64
MAX_URI = 4 + MAX_USER + 1 + 32 + 5

_MESH_URI = re.compile(
    rf"sip:([a-z0-9][a-z0-9._+-]{{0,{MAX_USER - 1}}})@(?:([a-z2-7]{{32}})\.)?mesh", re.ASCII
)
_FINGERPRINT = re.compile(r"[0-9A-F]{40}", re.ASCII)


@dataclass(frozen=True)
class MeshUri:
    """``sip:user@mesh``, or ``sip:user@KEY.mesh`` where ``fingerprint`` (40 upper-case hex digits) is set."""

    user: str
    fingerprint: str | None = None

    @classmethod
    def parse(cls, text: str) -> "MeshUri":
        """Read the canonical form: lower case, with scheme, without parameters or port.

        Raises:
            BadUri: anything else.
        """
        return _parse(text)

    def __str__(self) -> str:
        if self.fingerprint is None:
            return f"sip:{self.user}@mesh"
        key = base64.b32encode(fingerprint_bytes(self.fingerprint)).decode().lower()
        return f"sip:{self.user}@{key}.mesh"


@lru_cache(maxsize=256)
def _parse(text: str) -> MeshUri:
    match = _MESH_URI.fullmatch(text)
    if match is None:
        raise BadUri(text)
    user, key = match.groups()
    return MeshUri(user, None if key is None else base64.b32decode(key.upper()).hex().upper())


def fingerprint_bytes(fingerprint: str) -> bytes:
    """Return the 20 bytes of a primary fingerprint written as 40 upper-case hex characters.

    Raises:
        ValueError: it is written in another way.
    """
    if _FINGERPRINT.fullmatch(fingerprint) is None:
        raise ValueError("a fingerprint is 40 upper-case hexadecimal characters")
    return bytes.fromhex(fingerprint)


def self_certifying_uri(user: str, fingerprint: str) -> str:
    """Return the URI that only the owner of the key can claim.

    Raises:
        BadUri: ``user`` cannot stand in a mesh URI.
        ValueError: ``fingerprint`` is malformed.
    """
    text = str(MeshUri(user, fingerprint))
    MeshUri.parse(text)
    return text


def fingerprint_of_uri(uri: str) -> str | None:
    """Return the fingerprint that a canonical mesh URI carries, or None for a short one.

    Raises:
        BadUri: not a canonical mesh URI.
    """
    return MeshUri.parse(uri).fingerprint
