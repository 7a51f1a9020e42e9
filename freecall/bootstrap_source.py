"""Bootstrap lists from wherever people keep them: a file, standard input, a web page, typed lines, a QR code."""

import enum
import http.client
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from overlay.protocol.bootstrap_list import ListRefused, SignedList
from overlay.protocol.bootstrap_text import MAX_TEXT, QR_PREFIX, Mistyped, from_lines, from_word

from .errors import FreeCallError, reason

FETCH_SECONDS = 10.0
CHUNK_BYTES = 8192
WEB = ("http", "https")


class SourceUnreadable(FreeCallError):
    """The list cannot be had: no such file, no answer, not typed rightly."""


class Way(enum.Enum):
    """How a list came to us: it matters for those that nobody signed."""

    HAND = "by hand"
    HTTPS = "over https"
    HTTP = "over plain http"


def read_source(source: str, standard_input: BinaryIO) -> tuple[SignedList, Way]:
    """Return the list at ``source``: a path, ``-``, a URL, or the word of a QR code itself.

    Raises:
        SourceUnreadable: it cannot be had.
        ListRefused: it is none, or damaged.
    """
    if source.startswith(QR_PREFIX):
        return read_list(source.encode()), Way.HAND
    if is_url(source):
        data, way = fetch(source)
        return read_list(data), way
    return read_list(_read_file(source, standard_input)), Way.HAND


def is_url(source: str) -> bool:
    """Tell whether a source is to be fetched."""
    return urllib.parse.urlsplit(source).scheme.lower() in WEB


def read_list(data: bytes) -> SignedList:
    """Return the list in any of its three forms.

    Raises:
        SourceUnreadable: a line is mistyped.
        ListRefused: it is none, or damaged.
    """
    if len(data) > MAX_TEXT:
        raise ListRefused(f"it is larger than {MAX_TEXT} bytes")
    if data[:1] and data[0] >= 0x80:  # msgpack; the other forms are plain text
        return SignedList.parse(data)
    try:
        text = data.decode("ascii", errors="replace")
        word = "".join(text.split())
        return SignedList.parse(from_word(word) if word.startswith(QR_PREFIX) else from_lines(text))
    except Mistyped as error:
        raise SourceUnreadable(str(error)) from error


def fetch(url: str, *, clock: Callable[[], float] = time.monotonic) -> tuple[bytes, Way]:
    """Return what lies at a URL, 64 kB at most, within ten seconds or so.

    Raises:
        SourceUnreadable: no answer, or an error.
    """
    deadline = clock() + FETCH_SECONDS
    data = b""
    try:
        with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as response:  # noqa: S310 - http and https only
            way = Way.HTTPS if response.geturl().lower().startswith("https:") else Way.HTTP
            while chunk := response.read1(CHUNK_BYTES):
                data += chunk
                if len(data) > MAX_TEXT:
                    raise SourceUnreadable(f"{url} is larger than {MAX_TEXT} bytes: no bootstrap list.")
                if clock() > deadline:
                    raise SourceUnreadable(f"{url} took longer than {FETCH_SECONDS:g} seconds.")
    except urllib.error.HTTPError as error:
        error.close()
        raise SourceUnreadable(f"{url} answered {error.code} {error.reason}.") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = error.reason if isinstance(error, urllib.error.URLError) else error
        raise SourceUnreadable(f"{url} cannot be fetched ({_words(why)}).") from error
    return data, Way.HTTP if url.lower().startswith("http:") else way


def _read_file(source: str, standard_input: BinaryIO) -> bytes:
    try:
        if source == "-":
            return standard_input.read(MAX_TEXT + 1)
        with Path(source).expanduser().open("rb") as file:
            return file.read(MAX_TEXT + 1)
    except OSError as error:
        raise SourceUnreadable(f"{source} cannot be read ({reason(error)}).") from error


def _words(why: object) -> str:
    return reason(why) if isinstance(why, Exception) else str(why)
