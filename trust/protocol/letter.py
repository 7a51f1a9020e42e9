"""A letter: a text from one person to another, with what its signature binds it to. Bytes: docs/protocol/trust.md."""

from dataclasses import dataclass
from typing import Any

import msgpack

from .errors import LetterRefused
from .statement import statement
from .uris import FINGERPRINT_BYTES, MeshUri, fingerprint_bytes

PURPOSE = b"freecall-letter-1"
VERSION = 1
ID_BYTES = 16
MAX_BODY_BYTES = 16 * 1024
MAX_TYPE_CHARACTERS = 256
MAX_SIGNATURE_BYTES = 2048
MAX_BYTES = MAX_BODY_BYTES + 4 * 1024
MAX_DATE = 2**48 - 1


@dataclass(frozen=True)
class Letter:
    """What one person writes to another.

    ``id`` are 16 random bytes; ``sender`` and ``recipient`` canonical mesh URIs; ``recipient_fingerprint`` the primary
    fingerprint of the key that it is for; ``written_at`` Unix seconds by the sender's clock; ``content_type`` a media
    type as in SIP, ``body`` its bytes, untouched.
    """

    id: bytes
    sender: str
    recipient: str
    recipient_fingerprint: str
    written_at: int
    content_type: str
    body: bytes

    def __post_init__(self) -> None:
        try:
            MeshUri.parse(self.sender)
            MeshUri.parse(self.recipient)
            fingerprint_bytes(self.recipient_fingerprint)
        except ValueError as error:
            raise LetterRefused("an address or a fingerprint in it is malformed") from error
        if len(self.id) != ID_BYTES or not 0 <= self.written_at <= MAX_DATE:
            raise LetterRefused("its number or date is malformed")
        if not self.content_type.isprintable() or not 0 < len(self.content_type) <= MAX_TYPE_CHARACTERS:
            raise LetterRefused("its type is malformed")
        if len(self.body) > MAX_BODY_BYTES:
            raise LetterRefused(f"it is longer than {MAX_BODY_BYTES} bytes")

    def statement(self) -> bytes:
        """Return what the sender's OpenPGP key signs."""
        return statement(
            PURPOSE,
            self.id,
            self.sender.encode(),
            self.recipient.encode(),
            fingerprint_bytes(self.recipient_fingerprint),
            self.written_at.to_bytes(8, "big"),
            self.content_type.encode(),
            self.body,
        )


@dataclass(frozen=True)
class SignedLetter:
    """A letter with the detached binary signature of its sender's key."""

    letter: Letter
    signature: bytes

    def __bytes__(self) -> bytes:
        x = self.letter
        to = fingerprint_bytes(x.recipient_fingerprint)
        fields = [
            VERSION,
            x.id,
            x.sender,
            x.recipient,
            to,
            x.written_at,
            x.content_type,
            x.body,
            self.signature,
        ]
        data: bytes = msgpack.packb(fields)
        return data

    @classmethod
    def parse(cls, data: bytes) -> "SignedLetter":
        """Read what `bytes()` writes, and nothing else. The signature is not checked here.

        Raises:
            LetterRefused: the bytes are malformed.
        """
        if len(data) > MAX_BYTES:
            raise LetterRefused("it is too large")
        try:
            fields = msgpack.unpackb(
                data,
                max_array_len=9,
                max_map_len=0,
                max_ext_len=0,
                max_str_len=MAX_TYPE_CHARACTERS * 4,
                max_bin_len=MAX_BYTES,
            )
        except ValueError as error:
            raise LetterRefused("it is malformed") from error
        if not _is_well_typed(fields):
            raise LetterRefused("it is malformed")
        _, id_, sender, recipient, to, written_at, content_type, body, signature = fields
        letter = Letter(id_, sender, recipient, to.hex().upper(), written_at, content_type, body)
        signed = cls(letter, signature)
        if bytes(signed) != data:
            raise LetterRefused("it is not written in its one canonical form")
        return signed


def _is_well_typed(fields: Any) -> bool:
    types = [int, bytes, str, str, bytes, int, str, bytes, bytes]
    if not isinstance(fields, list) or [type(field) for field in fields] != types:
        return False
    return (
        fields[0] == VERSION and len(fields[4]) == FINGERPRINT_BYTES and len(fields[8]) <= MAX_SIGNATURE_BYTES
    )
