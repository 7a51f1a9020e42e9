"""Presence documents, application/pidf+xml (RFC 3863), reduced to what one person tells another here.

Reading is strict about the form and blind to the rest: whether any tuple is open, the first note, and whether
the person is on the phone (RFC 4480). There is no document type, no entity and no processing instruction in
PIDF, and so none here: what an XML parser can be tricked with is refused before it does anything.
"""

from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from .errors import SipError

CONTENT_TYPE = "application/pidf+xml"
MAX_DOCUMENT = 16 * 1024
MAX_DEPTH = 16
MAX_ELEMENTS = 256
MAX_NOTE = 64

_PIDF = "urn:ietf:params:xml:ns:pidf"
_RPID = "urn:ietf:params:xml:ns:pidf:rpid"
_ROOT = f"{_PIDF} presence"
_BASIC = (_ROOT, f"{_PIDF} tuple", f"{_PIDF} status", f"{_PIDF} basic")
_NOTES = ((_ROOT, f"{_PIDF} note"), (_ROOT, f"{_PIDF} tuple", f"{_PIDF} note"))
_BUSY = (f"{_RPID} activities", f"{_RPID} on-the-phone")


@dataclass(frozen=True)
class Presence:
    """Whether somebody can be called, one line of their own words, and whether they are in a call."""

    is_open: bool
    note: str = ""
    is_busy: bool = False


def parse(document: bytes) -> Presence:
    """Read a document.

    Raises:
        SipError: 413 for more than 16 KiB; 400 for anything but well-formed PIDF in UTF-8, or one that is
            deep, large, or has a document type, entities or processing instructions.
    """
    if len(document) > MAX_DOCUMENT:
        raise SipError(413, "Presence document too large")
    reading = _Reading()
    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.text
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.ExternalEntityRefHandler = _refuse
    parser.SkippedEntityHandler = _refuse
    parser.ProcessingInstructionHandler = _refuse
    try:
        parser.Parse(document.decode(), True)  # expat alone would take UTF-16, too
    except (expat.ExpatError, UnicodeDecodeError, ValueError) as error:
        raise SipError(400, "Bad presence document") from error
    return reading.presence()


def compose(entity: str, presence: Presence) -> bytes:
    """Return the document of `entity`, a URI. A note is cut to 64 printable characters."""
    activity = (
        "<dm:person id='person'><rpid:activities><rpid:on-the-phone/></rpid:activities></dm:person>"
        if presence.is_busy
        else ""
    )
    note = f"<note>{escape(plain_note(presence.note))}</note>" if presence.note else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<presence xmlns="{_PIDF}" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" '
        f'xmlns:rpid="{_RPID}" entity={quoteattr(entity)}>'
        f'<tuple id="user"><status><basic>{"open" if presence.is_open else "closed"}</basic></status>'
        f"{note}</tuple>{activity}</presence>\n"
    ).encode()


def plain_note(text: str) -> str:
    """Return one line of printable text, at most 64 characters."""
    clean = "".join(char if char.isprintable() else " " for char in text[: 4 * MAX_NOTE])
    return " ".join(clean.split())[:MAX_NOTE].strip()


def _refuse(*_: object) -> NoReturn:
    raise SipError(400, "Bad presence document")


@dataclass
class _Reading:
    """What has been read so far; `path` are the open elements."""

    path: list[str] = field(default_factory=list)
    elements: int = 0
    basics: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_busy: bool = False

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self.path.append(name)
        self.elements += 1
        if len(self.path) > MAX_DEPTH or self.elements > MAX_ELEMENTS or self.path[0] != _ROOT:
            raise SipError(400, "Bad presence document")
        path = tuple(self.path)
        if path == _BASIC:
            self.basics.append("")
        elif path in _NOTES:
            self.notes.append("")
        elif path[-2:] == _BUSY:
            self.is_busy = True

    def end(self, _name: str) -> None:
        self.path.pop()

    def text(self, text: str) -> None:
        path = tuple(self.path)
        if path == _BASIC:
            self.basics[-1] += text
        elif path in _NOTES:
            self.notes[-1] += text

    def presence(self) -> Presence:
        words = [basic.strip() for basic in self.basics]
        if not set(words) <= {"open", "closed"}:
            raise SipError(400, "Bad presence document")
        note = next((note for note in map(plain_note, self.notes) if note), "")
        return Presence("open" in words, note, self.is_busy)
