"""The five messages of the confirmation, each one DTLS record: version, type, length, body."""

import enum
from dataclasses import dataclass
from typing import Self

from .transcript import NONCE_BYTES

WIRE_VERSION = 1
HEADER_BYTES = 4
MAX_SIGNATURE_BYTES = 1_200
"""Room for an OpenPGP signature by RSA-8192; the record stays below 1,280 bytes."""


class Kind(enum.IntEnum):
    """The second byte of a message."""

    COMMIT = 1
    NONCE = 2
    REVEAL = 3
    SIGNATURE = 4
    DONE = 5


_BODY_BYTES = {
    Kind.COMMIT: range(32, 33),
    Kind.NONCE: range(NONCE_BYTES, NONCE_BYTES + 1),
    Kind.REVEAL: range(NONCE_BYTES, NONCE_BYTES + 1),
    Kind.SIGNATURE: range(MAX_SIGNATURE_BYTES + 1),
    Kind.DONE: range(1),
}


@dataclass(frozen=True)
class Message:
    """One message. An empty SIGNATURE says that its sender has no signature to give."""

    kind: Kind
    body: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse exactly one message; ValueError for anything else."""
        if len(data) < HEADER_BYTES or data[0] != WIRE_VERSION:
            raise ValueError("no confirmation message of version 1")
        kind, body = Kind(data[1]), data[HEADER_BYTES:]
        if int.from_bytes(data[2:4]) != len(body) or len(body) not in _BODY_BYTES[kind]:
            raise ValueError(f"{kind.name} with a wrong length")
        return cls(kind, body)

    def __bytes__(self) -> bytes:
        return bytes((WIRE_VERSION, self.kind)) + len(self.body).to_bytes(2) + self.body
