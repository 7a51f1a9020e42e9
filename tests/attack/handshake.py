"""A man in the middle whose certificates, roles or handshakes are not what they must be."""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from aiortc.rtcdtlstransport import RTCCertificate
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from media.aiortc_adapter import dtls
from media.aiortc_adapter.dtls import CallCertificate
from media.call_media import CallMedia
from tests.attack.middle import ManInTheMiddle
from tests.attack.rig import CLOSED, NO_DTLS, NO_EMS, NO_WAY, NOTHING, STRANGE_CERTIFICATE

WRONG_SIDE = "488 The other node takes the wrong side of the encrypted connection"
NO_EXTENDED_MASTER_SECRET = 1
"""SSL_OP_NO_EXTENDED_MASTER_SECRET; pyOpenSSL has no name for it."""

_weak: set[bytes] = set()


@contextmanager
def weak_handshakes() -> Iterator[None]:
    """Let certificates that `_weak` names go without the extended master secret, while this is held."""
    original = dtls._PinnedCertificate._create_ssl_context

    def weakened(self: Any, srtp_profiles: Any) -> SSL.Context:
        context = original(self, srtp_profiles)
        if self._cert.fingerprint(hashes.SHA256()) in _weak:
            context.set_options(NO_EXTENDED_MASTER_SECRET)
        return context

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dtls._PinnedCertificate, "_create_ssl_context", weakened)
        yield
    _weak.clear()


def fingerprint_of(sdp: bytes) -> bytes:
    """Return the first fingerprint of a description."""
    start = sdp.index(b"sha-256 ") + 8
    return sdp[start : start + 95]


def ground_certificate(wanted: bytes) -> CallCertificate:
    """Sign again and again, until the fingerprint begins as wanted."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mallory")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=1))
    while True:
        made = builder.serial_number(x509.random_serial_number()).sign(key, hashes.SHA256())
        if made.fingerprint(hashes.SHA256()).startswith(wanted):
            return CallCertificate(RTCCertificate(key, made), made.fingerprint(hashes.SHA256()))


class AnnouncedOfVictims(ManInTheMiddle):
    """The signalling keeps the victims' own fingerprints, as if it were protected; only the path is his."""

    says: ClassVar = {"caller": (STRANGE_CERTIFICATE,), "callee": (STRANGE_CERTIFICATE,)}

    def invite(self, own: bytes, victims: bytes) -> bytes:
        """Announce the caller's certificate to the callee."""
        return own.replace(fingerprint_of(own), fingerprint_of(victims))

    def ringing(self, own: bytes, victims: bytes) -> bytes:
        """Announce the callee's certificate to the caller."""
        return own.replace(fingerprint_of(own), fingerprint_of(victims))


class GroundFingerprint(AnnouncedOfVictims):
    """He has ground a certificate whose fingerprint begins with the same byte as the victim's."""

    def invite(self, own: bytes, victims: bytes) -> bytes:
        """Grind one for the leg to the callee."""
        self.grind(self.far, fingerprint_of(victims))
        return super().invite(own, victims)

    def ringing(self, own: bytes, victims: bytes) -> bytes:
        """Grind one for the leg to the caller."""
        self.grind(self.near, fingerprint_of(victims))
        return super().ringing(own, victims)

    def grind(self, media: CallMedia, wanted: bytes) -> None:
        """Exchange the certificate before the handshake."""
        media._sections[0].mesh._certificate = ground_certificate(bytes.fromhex(wanted[:2].decode()))


class WrongSideAnnounced(ManInTheMiddle):
    """He wants to be DTLS server towards the caller, who is server itself: so that he may choose the profile."""

    says: ClassVar = {"caller": (WRONG_SIDE,), "callee": (NOTHING,)}

    def ringing(self, own: bytes, _victims: bytes) -> bytes:
        """Say passive."""
        return own.replace(b"a=setup:active", b"a=setup:passive")


class WrongSideTaken(ManInTheMiddle):
    """His handshakes are in the other role than his signalling says, on both legs."""

    says: ClassVar = {"caller": (NO_WAY, NO_DTLS, CLOSED), "callee": (NO_WAY, NO_DTLS, CLOSED)}

    def opened(self, media: CallMedia) -> None:
        """Turn the role round."""
        media._sections[0].mesh._is_caller = not media._is_caller


class WithoutEms(ManInTheMiddle):
    """His own handshakes lack the extended master secret, as the triple handshake attack needs it."""

    says: ClassVar = {"caller": (NO_EMS, NO_DTLS), "callee": (NO_EMS, NO_DTLS)}

    def opened(self, media: CallMedia) -> None:
        """Mark his certificate."""
        _weak.add(media._certificate.fingerprint)


ATTACKS: tuple[type[ManInTheMiddle], ...] = (
    AnnouncedOfVictims, GroundFingerprint, WrongSideAnnounced, WrongSideTaken, WithoutEms,
)  # fmt: skip
