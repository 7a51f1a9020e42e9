"""The CSeq header (RFC 3261 20.16)."""

import re
from dataclasses import dataclass

from .scanner import WSP, bad, is_token

_FIELDS = re.compile(r"([0-9]{1,10})[ \t]+([!-~]+)")


@dataclass(frozen=True)
class CSeq:
    """A number below 2**31 and the method it counts."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> "CSeq":
        """Read a CSeq value.

        Raises:
            SipError: malformed or too large.
        """
        fields = _FIELDS.fullmatch(text.strip(WSP))
        if fields is None or int(fields[1]) >= 2**31 or not is_token(fields[2]):
            raise bad("CSeq")
        return cls(int(fields[1]), fields[2])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"
