"""What both nodes must agree on before a signature says anything: the bytes of the confirmation.

A channel binding in the sense of RFC 5056: the DTLS exporter (RFC 5705) with the whole context of the call
in it. Two nonces, the caller's committed to before it sees the callee's, keep either side (and anyone
between) from choosing the short authentication string. RFC 6189 section 4.3 is the precedent.
"""

import hashlib
import hmac
from dataclasses import astuple, dataclass, field
from typing import Literal, Self

Role = Literal["caller", "callee"]

VERSION = b"freecall-confirm-1"
EXPORTER_LABEL = b"EXPORTER-freecall-confirm"
EXPORTER_BYTES = 64
NONCE_BYTES = 32


def length_prefixed(*parts: bytes) -> bytes:
    """Concatenate so that no two different lists of parts give the same bytes: four bytes of length each."""
    return b"".join(len(part).to_bytes(4) + part for part in parts)


@dataclass(frozen=True)
class Context:
    """The call as both ends see it, in the order in which it is hashed.

    Fingerprints of OpenPGP keys are 40 upper-case hexadecimal characters; node ids 20 bytes; DTLS
    fingerprints SHA-256 of the certificates; `dtls_server` the role of the DTLS server in the call;
    profile, version and cipher are OpenSSL's names for what was negotiated.
    """

    call_id: bytes
    caller_fingerprint: bytes
    callee_fingerprint: bytes
    caller_node_id: bytes
    callee_node_id: bytes
    caller_dtls_fingerprint: bytes
    callee_dtls_fingerprint: bytes
    dtls_server: bytes
    srtp_profile: bytes
    dtls_version: bytes
    cipher: bytes

    def digest(self) -> bytes:
        """Return `ctx`, the context value for the exporter."""
        return _sha256(VERSION, *astuple(self))


@dataclass(frozen=True)
class Agreement:
    """What the three messages gave: four bytes for people to compare, 32 bytes to sign."""

    short_string: bytes
    session_hash: bytes


@dataclass(frozen=True)
class Transcript:
    """T and K of one call: the public and the secret half of what the exporter gave. `wipe` ends K."""

    digest: bytes
    key: bytearray = field(repr=False)

    @classmethod
    def of(cls, context_digest: bytes, exported: bytes) -> Self:
        """Derive both from `ctx` and the 64 exported bytes."""
        if len(exported) != EXPORTER_BYTES:
            raise ValueError("the exporter gives 64 bytes")
        return cls(_sha256(b"T", context_digest, exported[:32]), bytearray(exported[32:]))

    def retained(self, session_hash: bytes) -> bytes:
        """Return the secret that both sides keep of this call, to know each other by in the next (32 bytes)."""
        return hmac.digest(self.key, length_prefixed(b"retained", self.digest, session_hash), "sha256")

    def wipe(self) -> None:
        """Overwrite K: nothing needs it once the words are known."""
        self.key[:] = bytes(len(self.key))

    def commitment(self, caller_nonce: bytes) -> bytes:
        """Return what the caller sends before it has seen anything of the callee."""
        return _sha256(b"commit", self.digest, caller_nonce)

    def agreement(self, caller_nonce: bytes, callee_nonce: bytes) -> Agreement:
        """Return the short string and the session hash."""
        short = hmac.digest(
            self.key, length_prefixed(b"sas", self.digest, caller_nonce, callee_nonce), "sha256"
        )
        return Agreement(short[:4], _sha256(b"session", self.digest, caller_nonce, callee_nonce))


def statement(role: Role, session_hash: bytes) -> bytes:
    """Return what the OpenPGP key of the party in that role signs."""
    return length_prefixed(b"freecall-confirmation-1", role.encode(), session_hash)


def _sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(length_prefixed(*parts)).digest()
