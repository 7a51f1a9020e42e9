"""The Replaces header (RFC 3891): names the dialog that a new one takes the place of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from .scanner import bad, is_token, parse_parameters

MAX_CALL_ID = 256


@dataclass(frozen=True)
class Replaces:
    """A dialog as the receiver of the header has it: `to_tag` is the receiver's own tag."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a header value.

        Raises:
            SipError: malformed, or without one of the tags.
        """
        call_id, semicolon, rest = text.partition(";")
        call_id = call_id.strip(" \t")
        if not 0 < len(call_id) <= MAX_CALL_ID or any(char <= " " or char in '<>",' for char in call_id):
            raise bad("Replaces")
        parameters = parse_parameters(semicolon + rest, "Replaces")
        to_tag, from_tag = parameters.get("to-tag"), parameters.get("from-tag")
        if to_tag is None or from_tag is None or not is_token(to_tag) or not is_token(from_tag):
            raise bad("Replaces")
        return cls(call_id, to_tag, from_tag, "early-only" in parameters)

    def __str__(self) -> str:
        early = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"
