import datetime
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import CertificateBuilder, Name

from sipgate.tls import (
    check_domain,
    check_node_key,
    client_context,
    domain_context,
    node_certificate,
    server_context,
)
from sipgate.transport import TransportError

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RAW = KEY.public_key().public_bytes_raw()


def test_a_node_has_one_certificate_and_it_holds_the_node_key() -> None:
    certificate = node_certificate(KEY)
    assert certificate == node_certificate(KEY)
    check_node_key(certificate.public_bytes(Encoding.DER), RAW)


def test_another_key_is_refused() -> None:
    other = node_certificate(Ed25519PrivateKey.generate()).public_bytes(Encoding.DER)
    with pytest.raises(TransportError, match="another node"):
        check_node_key(other, RAW)


@pytest.mark.parametrize("certificate", [None, b"", b"\x30\x03\x02\x01\x01"])
def test_no_certificate_and_garbage_are_refused(certificate: bytes | None) -> None:
    with pytest.raises(TransportError):
        check_node_key(certificate, RAW)


def test_a_key_of_another_kind_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        CertificateBuilder()
        .subject_name(Name([]))
        .issuer_name(Name([]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now)
        .sign(key, hashes.SHA256())
    )
    with pytest.raises(TransportError, match="another node"):
        check_node_key(certificate.public_bytes(Encoding.DER), RAW)


def test_only_tls_1_3_is_spoken() -> None:
    for context in (server_context(KEY), client_context()):
        assert context.minimum_version.name == "TLSv1_3"


def certificate_for(*names: x509.GeneralName) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    builder = (
        CertificateBuilder()
        .subject_name(Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "example.org")]))
        .issuer_name(Name([]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    "names",
    [
        [x509.DNSName("example.org")],
        [x509.DNSName("other.example"), x509.DNSName("EXAMPLE.org")],
        [x509.UniformResourceIdentifier("sip:example.org"), x509.DNSName("other.example")],
    ],
)
def test_a_certificate_for_the_domain_is_taken(names: list[x509.GeneralName]) -> None:
    check_domain(certificate_for(*names), "Example.org.")


@pytest.mark.parametrize(
    "names",
    [
        [],
        [x509.DNSName("sip.example.org")],
        [x509.DNSName("*.org"), x509.DNSName("*")],
        [x509.UniformResourceIdentifier("sip:carol@example.org")],
        [x509.UniformResourceIdentifier("https://example.org")],
        [x509.UniformResourceIdentifier("sip:other.example"), x509.DNSName("example.org")],
    ],
)
def test_a_certificate_for_something_else_is_refused(names: list[x509.GeneralName]) -> None:
    """RFC 5922 7.1: where there are SIP URIs, only they count; a common name and a wildcard never do."""
    with pytest.raises(TransportError):
        check_domain(certificate_for(*names), "example.org")


@pytest.mark.parametrize("certificate", [None, b"", b"\x30\x03\x02\x01\x01"])
def test_a_domain_without_a_readable_certificate_is_refused(certificate: bytes | None) -> None:
    with pytest.raises(TransportError, match="cannot be read"):
        check_domain(certificate, "example.org")


def test_a_domain_is_asked_for_a_certificate_that_an_authority_vouches_for() -> None:
    context = domain_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
