"""Proof of work: what a stranger's node pays to ring here, after hashcash (Back, 2002) and RFC 8019.

The nonce holds all that its maker has to know again, under a MAC: asking costs the callee no memory. It fits
one callee and one caller's key, for some minutes.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass

SCHEME = "Work"
LEAST_BITS = 18
MOST_BITS = 22
LIFETIME = 300
MAC_BYTES = 16
BATCH = 1000
MAX_COUNTER = 1 << 40

_NONCE = "[0-9a-f]{66}"
_CHALLENGE = re.compile(rf'{SCHEME} nonce="({_NONCE})", bits=([0-9]{{1,2}})', re.ASCII)
_PROOF = re.compile(rf'{SCHEME} nonce="({_NONCE})", counter=(0|[1-9][0-9]{{0,12}})', re.ASCII)


@dataclass(frozen=True)
class Parties:
    """Who calls whom: the callee's canonical URI and the caller's OpenPGP fingerprint. A proof fits them only."""

    callee: str
    caller: str

    def __bytes__(self) -> bytes:
        return f"{self.callee}\n{self.caller}\n".encode()


class Puzzles:
    """Makes and checks puzzles. `secret` is drawn at each start; times are seconds of a clock that never jumps."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def challenge(self, parties: Parties, bits: int, salt: bytes, now: float) -> str:
        """Return the puzzle as the value of a WWW-Authenticate header; `salt` is 8 random bytes."""
        head = bytes([bits]) + int(now + LIFETIME).to_bytes(8, "big") + salt
        nonce = (head + self._mac(head, parties)).hex()
        return f'{SCHEME} nonce="{nonce}", bits={bits}'

    def accepts(self, proof: str, parties: Parties, now: float) -> bool:
        """Tell whether `proof`, the value of an Authorization header, solves a puzzle of ours for these parties."""
        match = _PROOF.fullmatch(proof)
        if match is None:
            return False
        raw = bytes.fromhex(match[1])
        head, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(head, parties)):
            return False
        if int.from_bytes(head[1:9], "big") < now:
            return False
        return zero_bits(_work(match[1], parties, int(match[2]))) >= head[0]

    def _mac(self, head: bytes, parties: Parties) -> bytes:
        return hmac.digest(self._secret, head + bytes(parties), "sha256")[:MAC_BYTES]


def solve(challenge: str, parties: Parties) -> Iterator[str | None]:
    """Work at a challenge, a batch of hashes at each step: None while it goes on, then the proof.

    Ends without a proof when the challenge cannot be read, or asks for more than `MOST_BITS`.
    """
    match = _CHALLENGE.fullmatch(challenge)
    if match is None or int(match[2]) > MOST_BITS:
        return
    bits = int(match[2])
    base = hashlib.sha256(match[1].encode() + b"\n" + bytes(parties))
    limit = 1 << (256 - bits)
    for first in range(0, MAX_COUNTER, BATCH):
        for counter in range(first, first + BATCH):
            work = base.copy()
            work.update(b"%d" % counter)
            if int.from_bytes(work.digest(), "big") < limit:
                yield f'{SCHEME} nonce="{match[1]}", counter={counter}'
                return
        yield None


def _work(nonce: str, parties: Parties, counter: int) -> bytes:
    return hashlib.sha256(nonce.encode() + b"\n" + bytes(parties) + b"%d" % counter).digest()


def zero_bits(digest: bytes) -> int:
    """Return how many zero bits a digest begins with."""
    return 8 * len(digest) - int.from_bytes(digest, "big").bit_length()
