import datetime

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import CertificateBuilder, Name

from sipgate.tls import check_node_key, client_context, node_certificate, server_context
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
