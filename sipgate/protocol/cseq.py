"""The CSeq header (RFC 3261 20.16)."""

from dataclasses import dataclass

from .scanner import bad, is_token


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
        words = text.split()
        if len(words) != 2 or not is_token(words[1]) or not 0 < len(words[0]) <= 10:
            raise bad("CSeq")
        if not words[0].isascii() or not words[0].isdigit() or int(words[0]) >= 2**31:
            raise bad("CSeq")
        return cls(int(words[0]), words[1])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"
