"""Linear scanning of header values: quoted strings, angle brackets, parameters. No backtracking anywhere.

Each function walks its text once (RFC 3261 section 25.1 names the productions).
"""

import re
from collections.abc import Mapping

from .errors import SipError

TOKEN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~")
WSP = " \t"
_GEN_VALUE = TOKEN | frozenset("[]:")
MAX_PARAMETERS = 64
MAX_VALUES = 128
MAX_QUOTES = 8 * MAX_VALUES
REMEMBERED = 256  # values of each kind that are not read again: a dialog's messages have most in common
# possessive: neither ever goes back over what it has read
_QUOTED = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_PIECE = {separator: re.compile(rf'{_QUOTED}|["<>{separator}]', re.DOTALL) for separator in ",;"}
_PIECE_INSIDE = re.compile(rf'{_QUOTED}|["<>]', re.DOTALL)
_TOKEN_LETTERS = re.escape("".join(sorted(TOKEN)))
# parameters as nearly all of them are, with nothing to look at again; none of its parts can take what another can
_PLAIN = re.compile(rf"(?:;[{_TOKEN_LETTERS}]+(?:=[{_TOKEN_LETTERS}\[\]:]+)?)+")
_IN_QUOTES = re.compile(r'["\\]')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def is_token(text: str) -> bool:
    """Tell whether ``text`` is a non-empty token."""
    return bool(text) and TOKEN.issuperset(text)


def words(text: str) -> list[str]:
    """Return the parts of ``text`` between spaces and tabs. (``str.split`` knows far more white space than SIP.)"""
    return [word for word in text.replace("\t", " ").split(" ") if word]


def bad(what: str) -> SipError:
    """Return the error for a malformed header."""
    return SipError(400, f"Bad {what}")


def split(text: str, separator: str) -> list[str]:
    """Split at ``separator``, a comma or a semicolon, outside quoted strings and angle brackets; parts are stripped.

    Raises:
        SipError: a quoted string or an angle bracket is not closed, or there are more than 128 parts, or quotes for far
            more than those would need.
    """
    if '"' not in text and "<" not in text:
        if separator not in text:
            return [text.strip(WSP)]
        parts = text.split(separator, MAX_VALUES)
    elif separator not in text and _is_one_name_addr(text):
        return [text.strip(WSP)]
    elif text.count('"') > MAX_QUOTES:
        raise SipError(400, "Too many values")
    else:
        parts = _split_outside(text, separator)
    if len(parts) > MAX_VALUES:
        raise SipError(400, "Too many values")
    return [part.strip(WSP) for part in parts]


def _is_one_name_addr(text: str) -> bool:
    """Tell at a glance that there is nothing to close: no quotes, and one pair of angle brackets."""
    return '"' not in text and text.count("<") == text.count(">") == 1 and text.find("<") < text.find(">")


def _split_outside(text: str, separator: str) -> list[str]:
    parts: list[str] = []
    start, at, inside, has_closed = 0, 0, False, False
    quoted = -1  # where the last quoted string ended
    outside = _PIECE[separator]
    while found := (_PIECE_INSIDE if inside else outside).search(text, at):
        piece, at = found[0], found.end()
        if piece == separator and not inside:
            parts.append(text[start : found.start()])
            start, has_closed = found.end(), False
            if len(parts) > MAX_VALUES:
                return parts
        elif piece[0] == '"':
            if piece == '"' or (quoted >= 0 and not text[quoted : found.start()].strip(WSP)):
                raise bad("quoted string")  # not closed, or the second on end: what follows need not be read
            quoted = at
        elif piece in ("<", ">"):
            if inside == (piece == "<") or has_closed:  # no part has two pairs: what follows need not be read
                raise bad("angle brackets")
            has_closed, inside = inside, not inside
    if inside:
        raise bad("angle brackets")
    parts.append(text[start:])
    return parts


def closing_quote(text: str, at: int) -> int:
    """Return the index of the quote that closes the one at ``at``.

    Raises:
        SipError: there is none.
    """
    at += 1
    while found := _IN_QUOTES.search(text, at):
        if text[found.start()] == '"':
            return found.start()
        at = found.start() + 2
    raise bad("quoted string")


def unquote(text: str) -> str:
    """Return the content of a quoted string; other text as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inner = text[1:-1]
    return _ESCAPED.sub(r"\1", inner) if "\\" in inner else inner


def quote(text: str) -> str:
    """Return ``text`` as a quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def parse_parameters(text: str, what: str) -> dict[str, str | None]:
    """Return ``;name=value;flag`` as a dict, names in lower case, values verbatim (quotes kept).

    Raises:
        SipError: a name or an unquoted value is no token (hosts in brackets allowed), or a name comes twice.
    """
    parameters: dict[str, str | None] = {}
    if not text or not (stripped := text.strip(WSP)):
        return parameters
    if stripped[0] != ";":
        raise bad(what)
    is_plain = _PLAIN.fullmatch(stripped)
    parts = stripped[1:].split(";", MAX_PARAMETERS) if is_plain else split(stripped[1:], ";")
    if len(parts) > MAX_PARAMETERS:
        raise bad(what)
    for part in parts:
        name, equals, value = part.partition("=")
        if not is_plain:
            name, value = name.rstrip(WSP), value.lstrip(WSP)
            if not is_token(name) or (equals and not is_gen_value(value)):
                raise bad(what)
        name = name.lower()
        if name in parameters:
            raise bad(what)
        parameters[name] = value if equals else None
    return parameters


def is_gen_value(value: str) -> bool:
    """Tell whether ``value`` is a token, a host or a quoted string (production gen-value)."""
    if not value:
        return False
    if value[0] == '"':
        return len(value) > 1 and closing_quote(value, 0) == len(value) - 1
    return _GEN_VALUE.issuperset(value)


def format_parameters(parameters: Mapping[str, str | None]) -> str:
    """Return the parameters as ``;name=value;flag``."""
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in parameters.items())
