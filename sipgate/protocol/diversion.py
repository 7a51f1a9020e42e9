"""The Diversion header: who has sent a call on, and why (RFC 5806)."""

from dataclasses import dataclass

from .address import Address
from .errors import SipError

REASONS = frozenset(
    {
        "unknown",
        "user-busy",
        "no-answer",
        "unavailable",
        "unconditional",
        "time-of-day",
        "do-not-disturb",
        "deflection",
        "follow-me",
        "out-of-service",
        "away",
    }
)


@dataclass(frozen=True)
class Diversion:
    """`diverter` is the URI that was called, `reason` one of `REASONS`."""

    diverter: str
    reason: str = "unknown"

    @classmethod
    def parse(cls, text: str) -> "Diversion":
        """Read one value; a reason that RFC 5806 does not know is unknown.

        Raises:
            SipError: malformed.
        """
        address = Address.parse(text)
        reason = (address.parameters.get("reason") or "").strip('"').lower()
        return cls(str(address.uri), reason if reason in REASONS else "unknown")

    def __str__(self) -> str:
        return f"<{self.diverter}>;reason={self.reason}"


def reason_of(values: list[str]) -> str:
    """Return the reason of the latest diversion, which comes first; unknown when there is none to read."""
    try:
        return Diversion.parse(values[0]).reason if values else "unknown"
    except SipError:
        return "unknown"
