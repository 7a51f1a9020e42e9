"""Certificates made ahead: making one takes a millisecond, and a call is just what should not wait for it."""

from .aiortc_adapter.dtls import CallCertificate

SPARE = 4


class CertificateStock:
    """A few for the next calls. None is ever given out twice."""

    def __init__(self) -> None:
        self._ready: list[CallCertificate] = []

    def take(self) -> CallCertificate:
        """Return a fresh certificate: one in stock, or one made now."""
        return self._ready.pop() if self._ready else CallCertificate.generate()

    def fill(self) -> None:
        """Make one more, if there are not enough: calls that follow each other closely find one each."""
        if len(self._ready) < SPARE:
            self._ready.append(CallCertificate.generate())
