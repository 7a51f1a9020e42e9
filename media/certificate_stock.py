"""A certificate made ahead: making one takes a millisecond, and a call is just what should not wait for it."""

from .aiortc_adapter.dtls import CallCertificate


class CertificateStock:
    """At most one, for the next call. None is ever given out twice."""

    def __init__(self) -> None:
        self._ready: CallCertificate | None = None

    def take(self) -> CallCertificate:
        """Return a fresh certificate: the one in stock, or one made now."""
        ready, self._ready = self._ready, None
        return ready or CallCertificate.generate()

    def fill(self) -> None:
        """Make the next one, if there is none."""
        self._ready = self._ready or CallCertificate.generate()
