"""TLS to a plain domain: an authority of the test's own, certificates for the right domain and for others."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sipgate.protocol.message import Request
from tests.sipgate.plain.test_plain_calls import CAROL, Site, site

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


@dataclass
class Authority:
    """Issues certificates; `trusted` says whether this system knows it."""

    folder: Path

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test authority")])
        self.certificate = self._builder(self.name, self.key, is_authority=True).sign(
            self.key, hashes.SHA256()
        )
        self.file = self.folder / "authority.pem"
        self.file.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, is_authority: bool
    ) -> x509.CertificateBuilder:
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - DAY)
            .not_valid_after(NOW + DAY)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(identifier, critical=False)
            .add_extension(issuer, critical=False)
        )

    def context_for(self, *names: x509.GeneralName) -> ssl.SSLContext:
        """Return the context of a server with a certificate for these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(x509.Name([]), key, is_authority=False)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
        file = self.folder / "server.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(private + builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


async def serve(it: Site, context: ssl.SSLContext) -> None:
    """Let carol's phone listen for TLS, and the DNS say so before all other ways."""
    port = await it.carol.endpoint.listen_tls("127.0.0.1", 0, context)
    it.dns.zone["example.org", "NAPTR"] = [
        '10 0 "s" "SIPS+D2T" "" _sips._tcp.example.org.',
        '20 0 "s" "SIP+D2U" "" _sip._udp.example.org.',
    ]
    it.dns.zone["_sips._tcp.example.org", "SRV"] = [f"1 0 {port} pbx.example.org."]


@pytest.mark.parametrize(
    "name", [x509.DNSName("example.org"), x509.UniformResourceIdentifier("sip:example.org")]
)
async def test_a_domain_with_its_own_certificate_is_called_over_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: x509.GeneralName
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    async with site() as it:
        await serve(it, authority.context_for(name))
        call, rung = await it.talking()
        assert rung.transaction is not None
        assert rung.transaction.flow.transport == "tls"
        assert (await rung.hang_up()).status == 403, "what comes by UDP does not belong to this call"
        assert (await call.hang_up()).status == 200
        bye: Request = await rung.ended()
        assert bye.top_via.transport == "TLS"


@pytest.mark.parametrize(
    "names",
    [
        [x509.DNSName("pbx.example.org")],
        [x509.DNSName("*.org")],
        [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))],
    ],
)
async def test_a_server_with_another_certificate_gets_no_invite_not_even_in_the_clear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[x509.GeneralName]
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    async with site() as it:
        await serve(it, authority.context_for(*names))
        final = await (await it.alice.call(CAROL)).final()
        assert (final.status, final.reason) == (480, "example.org cannot be reached")
        assert it.carol.incoming.empty()


async def test_an_authority_that_the_system_does_not_know_vouches_for_nobody(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with site() as it:
        await serve(it, authority.context_for(x509.DNSName("example.org")))
        assert (await (await it.alice.call(CAROL.replace("sip:", "sips:"))).final()).status == 480
        assert it.carol.incoming.empty()
