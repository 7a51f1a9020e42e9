"""Session descriptions (RFC 8866) as lines that come out as they went in.

Nothing is interpreted that a bridge need not touch: a description is its session lines and, for each
section, the four fields of the m= line and the lines below it. Bytes are kept one to one (as Latin-1),
line ends become CRLF.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from .errors import MediaRefused

MAX_BYTES = 32_768
MAX_LINES = 1_024
MAX_SECTIONS = 16

_CHARACTER = r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]"
_MEDIA = re.compile(rf"({_CHARACTER}{{1,32}}) ([0-9]{{1,5}}) ((?:/|{_CHARACTER}){{1,64}}) (.+)")
_LINE = re.compile(r"[a-z]=[^\x00\r\n]*")
_SESSION_ONLY = ("v=", "o=", "s=", "t=", "r=", "z=", "u=", "e=", "p=")


def attribute(line: str) -> tuple[str, str] | None:
    """Split `a=name:value` or `a=name`; None for other lines."""
    if not line.startswith("a="):
        return None
    name, _, value = line[2:].partition(":")
    return name, value


@dataclass(frozen=True)
class MediaDescription:
    """One m= section: the fields of its first line and the lines that follow, verbatim."""

    media: str
    port: int
    profile: str
    formats: str
    lines: tuple[str, ...] = ()

    @classmethod
    def parse(cls, first: str, lines: tuple[str, ...]) -> Self:
        """Parse the m= line, without its `m=`; a port range is refused."""
        fields = _MEDIA.fullmatch(first)
        if fields is None or int(fields[2]) > 65_535:
            raise MediaRefused("The media description has a malformed m= line")
        return cls(fields[1], int(fields[2]), fields[3], fields[4], lines)

    def attributes(self) -> tuple[tuple[str, str], ...]:
        """Return (name, value) of each a= line."""
        return self._attributes

    @cached_property
    def _attributes(self) -> tuple[tuple[str, str], ...]:
        return tuple(pair for pair in map(attribute, self.lines) if pair)

    def has(self, name: str) -> bool:
        """Tell whether there is an attribute of that name."""
        return any(found == name for found, _ in self.attributes())

    def get(self, name: str) -> str | None:
        """Return the value of the first attribute of that name."""
        return next((value for found, value in self.attributes() if found == name), None)

    def connection(self) -> str | None:
        """Return what stands behind the first c= of this section."""
        return _first(self.lines, "c=")

    def __str__(self) -> str:
        return "\r\n".join((f"m={self.media} {self.port} {self.profile} {self.formats}", *self.lines))


@dataclass(frozen=True)
class SessionDescription:
    """A whole description: session lines, verbatim, and the media sections in order."""

    lines: tuple[str, ...]
    media: tuple[MediaDescription, ...]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse strictly within bounds; raise `MediaRefused` with 400 or 488."""
        lines = _lines(data)
        starts = [at for at, line in enumerate(lines) if line.startswith("m=")]
        if len(starts) > MAX_SECTIONS:
            raise MediaRefused("The media description has too many sections")
        ends = [*starts[1:], len(lines)][: len(starts)]
        session = tuple(lines[: starts[0]] if starts else lines)
        if [line[:2] for line in session[:3]] != ["v=", "o=", "s="] or session[0] != "v=0":
            raise MediaRefused("The media description does not start as it should", status=400)
        below = [tuple(lines[start + 1 : end]) for start, end in zip(starts, ends, strict=True)]
        if any(line.startswith(_SESSION_ONLY) for section in below for line in section):
            raise MediaRefused("The media description has its lines in the wrong order", status=400)
        media = (MediaDescription.parse(lines[at][2:], rest) for at, rest in zip(starts, below, strict=True))
        return cls(session, tuple(media))

    def attributes(self) -> Iterator[tuple[str, str]]:
        """Yield (name, value) of each a= line of the session."""
        return (pair for pair in map(attribute, self.lines) if pair)

    def connection(self) -> str | None:
        """Return what stands behind the c= of the session."""
        return _first(self.lines, "c=")

    def with_media(self, media: tuple[MediaDescription, ...]) -> "SessionDescription":
        """Return the same session with other sections."""
        return SessionDescription(self.lines, media)

    def __bytes__(self) -> bytes:
        text = "\r\n".join((*self.lines, *map(str, self.media), ""))
        return text.encode("latin-1")


def _lines(data: bytes) -> list[str]:
    if len(data) > MAX_BYTES:
        raise MediaRefused("The media description is too long", status=413)
    lines = data.decode("latin-1").split("\n")
    lines = [line.removesuffix("\r") for line in lines]
    if lines[-1] == "":
        lines.pop()
    if len(lines) > MAX_LINES or not all(_LINE.fullmatch(line) for line in lines):
        raise MediaRefused("The media description is malformed", status=400)
    return lines


def _first(lines: tuple[str, ...], prefix: str) -> str | None:
    return next((line[2:] for line in lines if line.startswith(prefix)), None)
