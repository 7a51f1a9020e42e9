"""What a REFER asks for (RFC 3515): whom to call, in the place of which dialog, and whether to report."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote_from_bytes, unquote_to_bytes

from .address import Address
from .errors import SipError
from .message import Request
from .replaces import Replaces
from .scanner import bad
from .uri import Uri

MAX_FORWARDS = 70


@dataclass(frozen=True)
class Refer:
    """`target` as it was given, without the headers in it. `wants_reports`: not `Refer-Sub: false` (RFC 4488)."""

    target: Uri
    replaces: Replaces | None = None
    wants_reports: bool = True
    max_forwards: int = MAX_FORWARDS

    @classmethod
    def of(cls, request: Request) -> Refer:
        """Read a REFER.

        Raises:
            SipError: 400 without exactly one usable Refer-To.
        """
        values = request.headers.get_all("Refer-To")
        if len(values) != 1:
            raise bad("Refer-To")
        uri = Address.parse(values[0]).uri
        left = request.max_forwards
        return cls(
            uri if not uri.is_sip else uri.without_parameters(),
            _replaces_in(uri),
            (request.headers.get("Refer-Sub") or "true").strip().lower() != "false",
            MAX_FORWARDS if left is None else min(left, MAX_FORWARDS),
        )

    def refer_to(self) -> str:
        """Return the value of Refer-To."""
        if self.replaces is None:
            return f"<{self.target}>"
        return f"<{self.target}?Replaces={quote_from_bytes(str(self.replaces).encode(), safe='')}>"


def _replaces_in(uri: Uri) -> Replaces | None:
    """Return the Replaces among the headers of a URI; other headers are not ours to copy (RFC 3261 19.1.5)."""
    found = None
    for field in (uri.headers or "").split("&"):
        name, _, value = field.partition("=")
        if name.lower() == "method" and value.upper() != "INVITE":
            raise bad("Refer-To")
        if name.lower() == "replaces":
            if found is not None:
                raise bad("Refer-To")
            found = Replaces.parse(_decode(value))
    if uri.is_sip and (uri.parameters.get("method") or "INVITE").upper() != "INVITE":
        raise SipError(400, "Only calls can be transferred")
    return found


def _decode(value: str) -> str:
    try:
        return unquote_to_bytes(value).decode("ascii")
    except UnicodeDecodeError:
        raise bad("Refer-To") from None
