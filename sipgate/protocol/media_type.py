"""Media types (RFC 3261 20.15, RFC 2045)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from .scanner import REMEMBERED, WSP, bad, format_parameters, is_token, parse_parameters, unquote


@dataclass(frozen=True)
class MediaType:
    """``type/subtype`` in lower case, with parameters (values unquoted by `parameter`)."""

    essence: str
    parameters: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "MediaType":
        """Read a media type.

        Raises:
            SipError: malformed.
        """
        return _parse(text)

    def parameter(self, name: str) -> str | None:
        """Return a parameter without its quotes."""
        value = self.parameters.get(name)
        return None if value is None else unquote(value)

    def __str__(self) -> str:
        return self.essence + format_parameters(self.parameters)


@lru_cache(maxsize=REMEMBERED)
def _parse(text: str) -> MediaType:
    head, semicolon, parameters = text.partition(";")
    kind, slash, subtype = (part.strip(WSP) for part in head.partition("/"))
    if not slash or not is_token(kind) or not is_token(subtype):
        raise bad("Content-Type")
    return MediaType(f"{kind}/{subtype}".lower(), parse_parameters(semicolon + parameters, "Content-Type"))
