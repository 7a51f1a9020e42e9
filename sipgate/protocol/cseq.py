"""The CSeq header (RFC 3261 20.16)."""

from dataclasses import dataclass

from .scanner import WSP, bad, is_token


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
        number, space, method = text.strip(WSP).replace("\t", " ").partition(" ")
        method = method.lstrip(" ")
        if not space or not is_token(method) or not 0 < len(number) <= 10:
            raise bad("CSeq")
        if not number.isascii() or not number.isdigit() or int(number) >= 2**31:
            raise bad("CSeq")
        return cls(int(number), method)

    def __str__(self) -> str:
        return f"{self.number} {self.method}"
