"""What one node tells the other about the transport of one section: ICE, DTLS fingerprint, DTLS role."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Self

from .candidate import Candidate
from .errors import MediaRefused

Setup = Literal["actpass", "active", "passive"]

MAX_CANDIDATES = 32
_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_SHA_256 = re.compile(r"(?i:sha-256) ([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){31})")
_SETUPS: dict[str, Setup] = {"actpass": "actpass", "active": "active", "passive": "passive"}

ATTRIBUTES = ("ice-ufrag", "ice-pwd", "fingerprint", "setup", "candidate", "end-of-candidates")


@dataclass(frozen=True)
class Transport:
    """The transport of one section as its owner describes it.

    `fingerprint` is the SHA-256 of the owner's DTLS certificate (32 bytes). `complete` says that no more
    candidates follow.
    """

    ufrag: str
    password: str
    fingerprint: bytes
    setup: Setup
    candidates: tuple[Candidate, ...] = ()
    complete: bool = False

    @classmethod
    def parse(cls, attributes: Iterable[tuple[str, str]]) -> Self:
        """Read (name, value) pairs: each of the four once, candidates bounded. Raise `MediaRefused`."""
        found: dict[str, list[str]] = {name: [] for name in ATTRIBUTES}
        for name, value in attributes:
            if name in found:
                found[name].append(value)
        if any(len(found[name]) != 1 for name in ("ice-ufrag", "ice-pwd", "fingerprint", "setup")):
            raise MediaRefused("The other node did not describe an encrypted transport")
        ufrag, password, setup = found["ice-ufrag"][0], found["ice-pwd"][0], found["setup"][0]
        sha_256 = _SHA_256.fullmatch(found["fingerprint"][0])
        if not (_UFRAG.fullmatch(ufrag) and _PASSWORD.fullmatch(password) and sha_256 and setup in _SETUPS):
            raise MediaRefused("The other node described its encrypted transport wrongly")
        return cls(
            ufrag=ufrag,
            password=password,
            fingerprint=bytes.fromhex(sha_256[1].replace(":", "")),
            setup=_SETUPS[setup],
            candidates=_candidates(found["candidate"]),
            complete=bool(found["end-of-candidates"]),
        )

    def lines(self) -> Iterator[str]:
        """Yield the attribute lines, in the order in which this implementation writes them."""
        yield f"a=ice-ufrag:{self.ufrag}"
        yield f"a=ice-pwd:{self.password}"
        yield f"a=fingerprint:sha-256 {self.fingerprint.hex(':').upper()}"
        yield f"a=setup:{self.setup}"
        for candidate in self.candidates:
            yield f"a=candidate:{candidate}"
        if self.complete:
            yield "a=end-of-candidates"

    def is_same_as(self, other: "Transport") -> bool:
        """Tell whether both describe one transport: only candidates and setup may differ."""
        own = (self.ufrag, self.password, self.fingerprint)
        return own == (other.ufrag, other.password, other.fingerprint)


def _candidates(values: list[str]) -> tuple[Candidate, ...]:
    if len(values) > MAX_CANDIDATES:
        raise MediaRefused("The other node names too many addresses")
    try:
        parsed = [Candidate.parse(value) for value in values]
    except ValueError as error:
        raise MediaRefused("The other node described its addresses wrongly") from error
    return tuple(candidate for candidate in parsed if candidate)
