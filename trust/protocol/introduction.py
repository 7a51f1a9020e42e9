"""Introductions: somebody known says to one person which key another person has. Bytes: docs/protocol/trust.md."""

import base64
from dataclasses import dataclass
from typing import Any

import msgpack

from .errors import BadUri, IntroductionRefused
from .statement import statement
from .uris import FINGERPRINT_BYTES, MeshUri, fingerprint_bytes

PURPOSE = b"freecall-introduction-1"
VERSION = 1
MAX_BYTES = 1024
MAX_CARD = 4096
LIFETIME_SECONDS = 366 * 86400
SLACK_SECONDS = 2 * 86400
_MAX_TIME = 2**48 - 1
_BEGIN, _END = "-----BEGIN FREE CALL INTRODUCTION-----", "-----END FREE CALL INTRODUCTION-----"
_COLUMNS = 64


@dataclass(frozen=True)
class Introduction:
    """What ``introducer`` says to ``reader``: ``uri`` is the person with the key ``fingerprint``.

    URIs are canonical, fingerprints 40 upper-case hexadecimal digits, ``made`` is in Unix seconds.
    ``verified`` says that the introducer compared the key in person; else they know it from confirmed calls.
    """

    uri: str
    fingerprint: str
    introducer: str
    introducer_fingerprint: str
    reader: str
    reader_fingerprint: str
    made: int
    verified: bool

    def __post_init__(self) -> None:
        try:
            for uri in (self.uri, self.introducer, self.reader):
                MeshUri.parse(uri)
            for fingerprint in (self.fingerprint, self.introducer_fingerprint, self.reader_fingerprint):
                fingerprint_bytes(fingerprint)
        except (BadUri, ValueError) as error:
            raise IntroductionRefused("an address or a fingerprint in it is malformed") from error
        if not 0 <= self.made <= _MAX_TIME:
            raise IntroductionRefused("its date is out of range")

    def statement(self) -> bytes:
        """Return what the introducer signs."""
        return statement(
            PURPOSE,
            self.uri.encode(),
            fingerprint_bytes(self.fingerprint),
            self.introducer.encode(),
            self.reader.encode(),
            fingerprint_bytes(self.reader_fingerprint),
            self.made.to_bytes(8, "big"),
            bytes([self.verified]),
        )

    def is_current(self, now: float) -> bool:
        """True for a year after it was made, with a little room for wrong clocks."""
        return self.made - SLACK_SECONDS <= now <= self.made + LIFETIME_SECONDS

    def is_of(self, uri: str, fingerprint: str) -> bool:
        """True when this introduces ``fingerprint`` under the canonical ``uri``, in its short or its long form."""
        return fingerprint == self.fingerprint and MeshUri.parse(uri).user == MeshUri.parse(self.uri).user


@dataclass(frozen=True)
class SignedIntroduction:
    """An introduction with the introducer's detached binary signature."""

    introduction: Introduction
    signature: bytes

    def __bytes__(self) -> bytes:
        i = self.introduction
        keys = [fingerprint_bytes(k) for k in (i.fingerprint, i.introducer_fingerprint, i.reader_fingerprint)]
        fields = [VERSION, i.uri, keys[0], i.introducer, keys[1], i.reader, keys[2], i.made, i.verified]
        data: bytes = msgpack.packb([*fields, self.signature])
        return data

    @classmethod
    def parse(cls, data: bytes) -> "SignedIntroduction":
        """Read what `bytes()` writes, and nothing else. The signature is not checked here.

        Raises:
            IntroductionRefused: the bytes are malformed.
        """
        if len(data) > MAX_BYTES:
            raise IntroductionRefused("it is too large")
        limits = {"max_array_len": 10, "max_map_len": 0, "max_ext_len": 0}
        try:
            fields = msgpack.unpackb(data, max_str_len=MAX_BYTES, max_bin_len=MAX_BYTES, **limits)
        except ValueError as error:
            raise IntroductionRefused("it is malformed") from error
        if not _is_well_typed(fields):
            raise IntroductionRefused("it is malformed")
        _, uri, key, introducer, its_key, reader, readers_key, made, verified, signature = fields
        signed = cls(
            Introduction(
                uri, _hex(key), introducer, _hex(its_key), reader, _hex(readers_key), made, verified
            ),
            signature,
        )
        if bytes(signed) != data:
            raise IntroductionRefused("it is not written in its one canonical form")
        return signed

    def card(self) -> str:
        """Return the introduction as text for mail and files. What a person reads there, the signature covers."""
        i = self.introduction
        text = base64.b64encode(bytes(self)).decode()
        lines = [text[at : at + _COLUMNS] for at in range(0, len(text), _COLUMNS)]
        said = [
            f"{word}: {uri[4:]}"
            for word, uri in (("Introduces", i.uri), ("By", i.introducer), ("To", i.reader))
        ]
        return "\n".join([_BEGIN, *said, "", *lines, _END, ""])

    @classmethod
    def read_card(cls, text: str) -> "SignedIntroduction":
        """Read what `card` writes; mail may have changed the ends of its lines and what is around it.

        Raises:
            IntroductionRefused: there is none in it, or its readable lines say something else.
        """
        _, begin, rest = text.partition(_BEGIN)
        inside, end, _ = rest.partition(_END)
        if not begin or not end or len(inside) > MAX_CARD:
            raise IntroductionRefused("there is none in this file")
        lines = [line.strip() for line in inside.strip().splitlines()]
        blank = lines.index("") if "" in lines else 0
        try:
            signed = cls.parse(base64.b64decode("".join(lines[blank:]), validate=True))
        except ValueError as error:
            raise IntroductionRefused("it is malformed") from error
        if signed.card().splitlines()[1:-1] != lines:
            raise IntroductionRefused("its readable lines say something else than what is signed")
        return signed


def _hex(fingerprint: bytes) -> str:
    return fingerprint.hex().upper()


def _is_well_typed(fields: Any) -> bool:
    kinds = [int, str, bytes, str, bytes, str, bytes, int, bool, bytes]
    if not isinstance(fields, list) or [type(field) for field in fields] != kinds:
        return False
    return fields[0] == VERSION and all(len(fields[at]) == FINGERPRINT_BYTES for at in (2, 4, 6))
