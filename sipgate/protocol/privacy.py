"""What a caller wants kept back: the Privacy header (RFC 3323 4.2, RFC 3325 9.3), and anonymous addresses (4.1.1.3)."""

from __future__ import annotations

from dataclasses import dataclass

from .message import Request
from .scanner import WSP, bad, is_token
from .uri import Uri

USER = "anonymous"
HOST = "anonymous.invalid"
ANONYMOUS = f"sip:{USER}@{HOST}"
NAME = "Anonymous"

MAX_VALUES = 16
_NAME_HIDING = frozenset({"id", "user", "header", "session"})
_KNOWN = _NAME_HIDING | {"critical"}


@dataclass(frozen=True)
class Privacy:
    """The values of a request's Privacy headers, in lower case; empty without any."""

    values: frozenset[str] = frozenset()

    @classmethod
    def of(cls, request: Request) -> Privacy:
        """Read the Privacy of a request. Values are parted by semicolons; commas are taken, too.

        Raises:
            SipError: 400 for what is no list of values, for too many, and for `none` beside others.
        """
        listed = ";".join(request.headers.get_all("Privacy"))
        if not listed:
            return cls()
        values = [value.strip(WSP).lower() for value in listed.replace(",", ";").split(";")]
        if len(values) > MAX_VALUES or not all(map(is_token, values)):
            raise bad("Privacy")
        if "none" in values and len(set(values)) > 1:
            raise bad("Privacy")
        return cls(frozenset(values))

    @property
    def hides_name(self) -> bool:
        """Whether the caller is not to be known: any level asks for that, as a name tells more than an address."""
        return bool(self.values & _NAME_HIDING)

    @property
    def is_none(self) -> bool:
        """Whether nothing is to be kept back."""
        return self.values == {"none"}

    @property
    def is_critical(self) -> bool:
        """Whether the request must fail rather than go out with less (RFC 3323 5)."""
        return "critical" in self.values

    @property
    def asks_too_much(self) -> bool:
        """Whether it insists on what a node cannot give: an address that is not its own, or something unknown."""
        return self.is_critical and ("session" in self.values or not self.values <= _KNOWN)


def is_anonymous(uri: Uri) -> bool:
    """Tell whether an address is of nobody: `anonymous`, at whatever host, or anybody at `anonymous.invalid`."""
    return uri.is_sip and ((uri.user or "").lower() == USER or uri.host.lower().rstrip(".") == HOST)
