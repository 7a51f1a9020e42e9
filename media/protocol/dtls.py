"""DTLS-SRTP with a phone, as descriptions agree on it: fingerprint (RFC 8122), setup (RFC 4145), tls-id (RFC 8842)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from .errors import MediaRefused
from .transport import Setup

ATTRIBUTES = ("fingerprint", "setup", "tls-id")

_SHA_256 = re.compile(r"(?i:sha-256) ([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){31})")
_SETUPS: dict[str, Setup] = {"actpass": "actpass", "active": "active", "passive": "passive"}
_TLS_ID = re.compile(r"[A-Za-z0-9+/_-]{20,255}")


@dataclass(frozen=True)
class Dtls:
    """What one side says of the DTLS association of one section.

    `fingerprint` is the SHA-256 of its certificate. `profile` is that of the m= line, empty before a phone has said
    one: UDP/TLS/RTP/SAVP(F), or RTP/SAVP(F), as phones write that go by drafts of RFC 5764.
    """

    fingerprint: bytes
    setup: Setup
    tls_id: str = ""
    profile: str = ""

    @classmethod
    def parse(cls, attributes: Iterable[tuple[str, str]], profile: str) -> Self:
        """Read (name, value) pairs; raise `MediaRefused`.

        One fingerprint has to be of SHA-256; those by other hashes are left aside (RFC 8122 section 5: they are of the
        same certificate).
        """
        found: dict[str, list[str]] = {name: [] for name in ATTRIBUTES}
        for name, value in attributes:
            if name in found:
                found[name].append(value)
        by_sha_256 = {found[1].lower() for found in map(_SHA_256.fullmatch, found["fingerprint"]) if found}
        if len(by_sha_256) != 1:
            raise MediaRefused("The phone does not name its one certificate by its SHA-256 fingerprint")
        setups, tls_ids = found["setup"], found["tls-id"]
        if len(setups) != 1 or setups[0] not in _SETUPS:
            raise MediaRefused("The phone does not say which side of its encryption it takes (a=setup)")
        if len(tls_ids) > 1 or not all(map(_TLS_ID.fullmatch, tls_ids)):
            raise MediaRefused("The phone names its encryption wrongly (a=tls-id)")
        fingerprint = bytes.fromhex(by_sha_256.pop().replace(":", ""))
        return cls(fingerprint, _SETUPS[setups[0]], "".join(tls_ids), profile)

    def lines(self) -> Iterator[str]:
        """Yield the attribute lines."""
        yield f"a=fingerprint:sha-256 {self.fingerprint.hex(':').upper()}"
        yield f"a=setup:{self.setup}"
        if self.tls_id:
            yield f"a=tls-id:{self.tls_id}"


@dataclass(frozen=True)
class Association:
    """One DTLS association with a phone, as both sides have agreed on it; `is_server` says our role."""

    theirs: Dtls
    is_server: bool

    def fits(self, theirs: Dtls) -> bool:
        """Tell whether the phone's later description is of this same association (RFC 8842 section 4)."""
        known = (self.theirs.fingerprint, self.theirs.tls_id)
        stays = theirs.setup == "actpass" or (theirs.setup == "active") == self.is_server
        return stays and (theirs.fingerprint, theirs.tls_id) == known


def agreed(theirs: Dtls, standing: Association | None) -> Association:
    """Return the association in use if the phone's description is of it; else a new one.

    In that we are the server wherever the phone lets us, for the server chooses the SRTP profile: AES-GCM.
    """
    if standing is not None and standing.fits(theirs):
        return standing
    return Association(theirs, is_server=theirs.setup != "passive")
