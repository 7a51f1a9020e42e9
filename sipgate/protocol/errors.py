"""The one exception of the message layer: what came from the network cannot be used."""


class SipError(Exception):
    """Malformed or unacceptable input: ``status`` is the SIP status to answer, ``reason`` a short phrase."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
