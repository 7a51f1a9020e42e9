"""Address cards as other programs read and write them: vCard 4.0 (RFC 6350), of which 3.0 is understood, too.

A person of the mesh is an ``IMPP`` with a mesh address, and a ``KEY``: the OpenPGP key itself, or its fingerprint.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .errors import FreeCallError

MAX_CARD_BYTES = 48 * 1024
FOLD_BYTES = 75
KEY_TYPE = "application/pgp-keys"
OPENPGP_QR = "openpgp4fpr:"
VERSIONS = ("3.0", "4.0")

_NAME = r"[A-Za-z0-9-]{1,60}"
_PARAMETER = rf'{_NAME}=(?:"[^"]*"|[^";:,]*)(?:,(?:"[^"]*"|[^";:,]*))*'
_LINE = re.compile(rf"(?:{_NAME}\.)?({_NAME})((?:;{_PARAMETER}|;{_NAME})*):(.*)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_FINGERPRINT = re.compile(r"[0-9A-F]{40}")


class NoCard(FreeCallError):
    """The text is no address card, or not one of a person of the mesh."""


@dataclass(frozen=True)
class Card:
    """What a card says of one person.

    ``uri`` is as the card has it; ``key`` a binary transferable public key, or empty; ``fingerprint`` of the key in 40
    capitals where the card names it, or empty.
    """

    uri: str
    name: str = ""
    note: str = ""
    key: bytes = b""
    fingerprint: str = ""

    def __str__(self) -> str:
        """Return the card as vCard 4.0, with line ends."""
        uri = self.uri.removeprefix("sip:")
        lines = ["BEGIN:VCARD", "VERSION:4.0", f"FN:{_escape(self.name or uri)}", f"IMPP:sip:{uri}"]
        if self.key:
            lines.append(f"KEY:data:{KEY_TYPE};base64,{base64.b64encode(self.key).decode()}")
        elif self.fingerprint:
            lines.append(f"KEY:{OPENPGP_QR.upper()}{self.fingerprint}")
        if self.note:
            lines.append(f"NOTE:{_escape(self.note)}")
        return "".join(f"{folded}\r\n" for line in (*lines, "END:VCARD") for folded in _fold(line))


def split(text: str) -> Iterator[str]:
    """Go through the cards of a file, each from BEGIN to END; what is between them is passed over."""
    lines: list[str] | None = None
    for line in text.splitlines(keepends=True):
        word = line.strip().upper()
        if word == "BEGIN:VCARD":
            lines = []
        if lines is not None:
            lines.append(line)
            if word == "END:VCARD":
                yield "".join(lines)
                lines = None


def read(text: str) -> Card:
    """Read one card.

    Raises:
        NoCard: it is malformed, too long, or has no mesh address.
    """
    if len(text.encode(errors="replace")) > MAX_CARD_BYTES:
        raise NoCard(f"This address card is longer than {MAX_CARD_BYTES // 1024} KiB.")
    lines = [_property(line) for line in _unfold(text)]
    if len(lines) < 2 or lines[0] != ("BEGIN", "", "VCARD") or lines[-1] != ("END", "", "VCARD"):
        raise NoCard("This is no address card: it has to begin with BEGIN:VCARD and to end with END:VCARD.")
    fields = _Fields()
    for name, parameters, value in lines[1:-1]:
        fields.take(name, parameters, value)
    if fields.version not in VERSIONS:
        raise NoCard("This address card is of a version that is not known here; 3.0 and 4.0 are.")
    if not fields.uri:
        raise NoCard(f"The card of {fields.name or 'a person'} has no mesh address (IMPP:sip:name@mesh).")
    return Card(fields.uri, fields.name, fields.note, fields.key, fields.fingerprint)


@dataclass
class _Fields:
    """The properties that we look at; of several the first counts."""

    version: str = ""
    uri: str = ""
    name: str = ""
    note: str = ""
    key: bytes = b""
    fingerprint: str = ""

    def take(self, name: str, parameters: str, value: str) -> None:
        match name:
            case "VERSION":
                self.version = self.version or value.strip()
            case "FN":
                self.name = self.name or _text(value)
            case "NOTE":
                self.note = self.note or _text(value)
            case "IMPP":
                self.uri = self.uri or _mesh_address(value)
            case "KEY":
                self._take_key(parameters, value)

    def _take_key(self, parameters: str, value: str) -> None:
        bare = value.replace("\\", "").strip()  # vCard 3.0 programs escape the comma of a data URI
        kind, _, data = bare.partition(",")
        is_old = re.search(r";ENCODING=(b|BASE64)\b", parameters, re.IGNORECASE) is not None
        if bare.lower().startswith(OPENPGP_QR):
            fingerprint = bare[len(OPENPGP_QR) :].upper()
            if _FINGERPRINT.fullmatch(fingerprint):
                self.fingerprint = self.fingerprint or fingerprint
        elif is_old and "PGP" in parameters.upper():
            self.key = self.key or _decoded(bare)
        elif kind.lower().replace(" ", "") == f"data:{KEY_TYPE};base64":
            self.key = self.key or _decoded(data)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise NoCard("The key in this address card is damaged.") from error


def _mesh_address(value: str) -> str:
    uri = value.replace("\\", "").strip().lower()
    host = uri.rpartition("@")[2].partition(";")[0]
    return uri if uri.startswith("sip:") and (host == "mesh" or host.endswith(".mesh")) else ""


def _text(value: str) -> str:
    plain = _ESCAPED.sub(lambda match: "\n" if match[1] in "nN" else str(match[1]), value)
    return _printable(plain).strip()


def _escape(text: str) -> str:
    return re.sub(r"([\\,;])", r"\\\1", _printable(text)).replace("\n", "\\n")


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text)


def _unfold(text: str) -> list[str]:
    lines: list[str] = []
    for line in re.split(r"\r\n|\n|\r", text):
        if line[:1] in (" ", "\t") and lines:
            lines[-1] += line[1:]
        elif line.strip():
            lines.append(line)
    return lines


def _fold(line: str) -> Iterator[str]:
    """Go through the pieces of a line, of 75 octets each (RFC 6350, 3.2); no character is cut in two."""
    piece, size = "", 0
    for letter in line:
        octets = len(letter.encode(errors="replace"))
        if size + octets > FOLD_BYTES:
            yield piece
            piece, size = " ", 1
        piece += letter
        size += octets
    yield piece


def _property(line: str) -> tuple[str, str, str]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise NoCard(f"An address card cannot be read at the line {line[:40]!r}.")
    name, parameters, value = match[1].upper(), match[2], match[3]
    return name, parameters, value.strip().upper() if name in ("BEGIN", "END") else value
