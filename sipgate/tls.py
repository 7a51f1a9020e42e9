"""TLS between nodes: a certificate that is nothing but the node key, and the check that it is the right one.

There is no authority. A node's certificate is self-signed with its Ed25519 key, and whoever connects compares
the key in it with the key that it looks for. Names and dates in the certificate mean nothing.
"""

from __future__ import annotations

import datetime
import secrets
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

from .transport import TransportError

ALPN = "sip"
_NOT_BEFORE = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
_NOT_AFTER = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)  # RFC 5280 4.1.2.5: no end


def node_certificate(key: Ed25519PrivateKey) -> x509.Certificate:
    """Return the self-signed certificate of a node; the same key always gives the same one."""
    public_key = key.public_key()
    raw = public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public_key)
        .serial_number(int.from_bytes(raw[:16], "big") | 1)
        .not_valid_before(_NOT_BEFORE)
        .not_valid_after(_NOT_AFTER)
        .sign(key, None)
    )


def phone_certificate(name: str, now: datetime.datetime) -> bytes:
    """Return a key and a self-signed certificate for paired phones, PEM: ECDSA, which old phones know, for 20 years.

    Phones keep the certificate, or its fingerprint; no authority vouches for it, and its names mean nothing.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Free Call node of {name}"[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=20 * 365))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


def phone_context(pem: Path) -> ssl.SSLContext:
    """Return the context for listening to paired phones, from a file of what `phone_certificate` returned."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(pem)
    return context


def server_context(key: Ed25519PrivateKey) -> ssl.SSLContext:
    """Return the context for listening as the node with this key: TLS 1.3 only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.set_alpn_protocols([ALPN])
    # The ssl module reads keys from files only: for a moment there is one, encrypted to a password that
    # never leaves this function.
    password = secrets.token_bytes(24).hex().encode()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))
    with tempfile.TemporaryDirectory(prefix="sip-") as folder:
        file = Path(folder) / "node.pem"
        file.write_bytes(private + node_certificate(key).public_bytes(Encoding.PEM))
        context.load_cert_chain(file, password=password)
    return context


def client_context() -> ssl.SSLContext:
    """Return the context for connecting to nodes. `check_node_key` must follow each handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([ALPN])
    return context


def domain_context() -> ssl.SSLContext:
    """Return the context for connecting to SIP domains, whose certificates come from the authorities that this
    system trusts. `check_domain` must follow each handshake.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False  # RFC 5922 has rules of its own
    return context


def check_domain(certificate: bytes | None, domain: str) -> None:
    """Check that a certificate (DER), whose issuer is trusted, is for the SIP domain: RFC 5922 7.1 and 7.2.

    A SIP URI or a DNS name in subjectAltName must be the domain; there are no wildcards. A common name says
    nothing. Raises `TransportError` otherwise.
    """
    try:
        names = _names(certificate or b"")
    except (ValueError, x509.ExtensionNotFound) as error:
        raise TransportError("the domain's certificate cannot be read") from error
    if domain.lower().rstrip(".") not in names:
        raise TransportError("the certificate is for another domain")


def _names(certificate: bytes) -> set[str]:
    extensions = x509.load_der_x509_certificate(certificate).extensions
    subject = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uris = [uri.lower().partition(":") for uri in subject.get_values_for_type(x509.UniformResourceIdentifier)]
    domains = {rest for scheme, _, rest in uris if scheme == "sip" and "@" not in rest}
    return domains or {name.lower() for name in subject.get_values_for_type(x509.DNSName)}


def check_node_key(certificate: bytes | None, expected: bytes) -> None:
    """Check that a peer's certificate (DER) is for the node key `expected` (32 raw bytes).

    TLS 1.3 has then proven that the peer holds the key. Raises `TransportError` otherwise.
    """
    if certificate is None:
        raise TransportError("the node showed no certificate")
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except ValueError as error:
        raise TransportError("the node's certificate cannot be read") from error
    if not isinstance(key, Ed25519PublicKey) or key.public_bytes(Encoding.Raw, PublicFormat.Raw) != expected:
        raise TransportError("another node answers at this address")
