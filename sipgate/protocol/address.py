"""name-addr and addr-spec with parameters: From, To, Contact, Route, Refer-To and others (RFC 3261 20.10)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from .scanner import (
    REMEMBERED,
    TOKEN,
    WSP,
    bad,
    closing_quote,
    format_parameters,
    parse_parameters,
    quote,
    unquote,
    words,
)
from .uri import Uri

_DISPLAY = TOKEN | {" "}


@dataclass(frozen=True)
class Address:
    """A URI with an optional display name and header parameters (``tag``, ``q``, ``expires`` ...)."""

    uri: Uri
    display_name: str = ""
    parameters: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read one address.

        Raises:
            SipError: malformed.
        """
        return _parse(text)

    @property
    def tag(self) -> str | None:
        """The tag of From and To."""
        return self.parameters.get("tag")

    def with_tag(self, tag: str) -> "Address":
        """Return the address with that tag."""
        return Address(self.uri, self.display_name, {**self.parameters, "tag": tag})

    def __str__(self) -> str:
        display = f"{quote(self.display_name)} " if self.display_name else ""
        return f"{display}<{self.uri}>{format_parameters(self.parameters)}"


@lru_cache(maxsize=REMEMBERED)
def _parse(text: str) -> Address:
    text = text.strip(WSP)
    display = ""
    if text.startswith('"'):
        end = closing_quote(text, 0)
        display = unquote(text[: end + 1])
        text = text[end + 1 :].lstrip(WSP)
        if not text.startswith("<"):
            raise bad("address")
    elif "<" in text and ":" not in text[: text.index("<")]:  # else it may stand in a quoted parameter
        display, _, rest = text.partition("<")
        display = " ".join(words(display))
        if not _DISPLAY.issuperset(display) and not all(c in _DISPLAY or c >= "\x80" for c in display):
            raise bad("display name")
        text = "<" + rest
    if text.startswith("<"):
        end = text.find(">")
        if end < 0:
            raise bad("address")
        return Address(Uri.parse(text[1:end]), display, parse_parameters(text[end + 1 :], "address"))
    bare, semicolon, parameters = text.partition(";")
    if any(char in bare for char in ",?"):
        raise bad("address without angle brackets")
    return Address(Uri.parse(bare.strip(WSP)), "", parse_parameters(semicolon + parameters, "address"))
