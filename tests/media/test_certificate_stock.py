"""Certificates made ahead are as fresh as those made in a call."""

from media.certificate_stock import CertificateStock


def test_no_certificate_is_given_out_twice() -> None:
    stock = CertificateStock()
    taken = [stock.take()]
    for _ in range(3):
        stock.fill()
        stock.fill()
        taken += [stock.take(), stock.take()]
    assert len({certificate.fingerprint for certificate in taken}) == len(taken)
