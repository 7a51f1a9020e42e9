"""The headers of a message, in order and verbatim: what nobody changes leaves as it came."""

from collections.abc import Collection, Iterator, Mapping
from typing import TypeAlias

from .errors import SipError
from .scanner import MAX_VALUES, WSP, bad, is_token, split

MAX_HEADERS = 256
MAX_HEADER_VALUE = 16 * 1024

COMPACT = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}
LISTS = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "alert-info",
        "allow",
        "allow-events",
        "contact",
        "content-encoding",
        "content-language",
        "diversion",
        "error-info",
        "history-info",
        "in-reply-to",
        "p-asserted-identity",
        "p-preferred-identity",
        "path",
        "privacy",
        "proxy-require",
        "reason",
        "record-route",
        "require",
        "route",
        "service-route",
        "supported",
        "unsupported",
        "via",
        "warning",
    }
)


# Header names as most programs write them: these are neither checked nor folded letter by letter.
_USUAL = (
    "Via From To Call-ID CSeq Contact Max-Forwards Content-Type Content-Length Route Record-Route Expires Allow"
    " Supported Require Proxy-Require Unsupported User-Agent Server Authorization Proxy-Authorization WWW-Authenticate"
    " Accept Proxy-Authenticate Session-Expires Min-SE RSeq RAck Reason Identity Date Event Subscription-State"
)
FOLDED = {
    **{name: name.lower() for name in _USUAL.split()},
    **{name.lower(): name.lower() for name in _USUAL.split()},
    **COMPACT,
}


def fold_name(name: str) -> str:
    """Return a header name in lower case and long form."""
    folded = FOLDED.get(name)
    if folded is None:
        folded = name.lower()
        folded = COMPACT.get(folded, folded)
    return folded


# (folded name, name, value, verbatim line with its folds and without the last CRLF, or None)
Entry: TypeAlias = tuple[str, str, str, str | None]


class Headers:
    """Ordered headers. Names match without case and in compact form; text that nobody sets stays verbatim."""

    __slots__ = ("_entries", "changes")

    def __init__(self, items: list[tuple[str, str]] | None = None) -> None:
        self._entries: list[Entry] = []
        self.changes = 0  # how often something was added, set or removed
        for name, value in items or []:
            self.add(name, value)

    @classmethod
    def of_entries(cls, entries: list[Entry]) -> "Headers":
        """Return headers as they stood on the wire."""
        headers = cls()
        headers._entries = entries
        return headers

    def get(self, name: str) -> str | None:
        """Return the first value of a header, None without one."""
        wanted = fold_name(name)
        for entry in self._entries:
            if entry[0] == wanted:
                return entry[2]
        return None

    def get_all(self, name: str) -> list[str]:
        """Return all values; where the grammar is a list, split at its commas.

        Raises:
            SipError: a quoted string or an angle bracket in a list is not closed, or the list is longer than 128.
        """
        wanted = fold_name(name)
        values = [entry[2] for entry in self._entries if entry[0] == wanted]
        if wanted not in LISTS:
            return values
        parts: list[str] = []
        for value in values:
            parts += [part for part in split(value, ",") if part]
            if len(parts) > MAX_VALUES:
                raise SipError(400, "Too many values")
        return parts

    def count(self, name: str) -> int:
        """Return how many lines carry the header."""
        wanted = fold_name(name)
        return [entry[0] for entry in self._entries].count(wanted)

    def chosen(self, names: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return (name, value) of the headers whose folded name is a key, under the name that stands there."""
        return [(names[folded], value) for folded, _, value, _ in self._entries if folded in names]

    def repeated(self, names: Collection[str]) -> str | None:
        """Return the first of these folded names that more than one line carries."""
        seen: set[str] = set()
        for folded, *_ in self._entries:
            if folded in names and folded in seen:
                return folded
            seen.add(folded)
        return None

    def add(self, name: str, value: str) -> None:
        """Append a header."""
        self.changes += 1
        self._entries.append(_entry(name, value))

    def prepend(self, name: str, value: str) -> None:
        """Put a header before all others of its name, or first of all without one."""
        self.changes += 1
        wanted = fold_name(name)
        at = next((i for i, entry in enumerate(self._entries) if entry[0] == wanted), 0)
        self._entries.insert(at, _entry(name, value))

    def set(self, name: str, value: str) -> None:
        """Replace all headers of that name by one, where the first stood, or at the end."""
        self.changes += 1
        wanted = fold_name(name)
        at = next((i for i, entry in enumerate(self._entries) if entry[0] == wanted), None)
        if at is None:
            self.add(name, value)
            return
        rest = [entry for entry in self._entries[at + 1 :] if entry[0] != wanted]
        self._entries[at:] = [_entry(name, value), *rest]

    def remove(self, name: str) -> None:
        """Remove all headers of that name."""
        self.changes += 1
        wanted = fold_name(name)
        self._entries = [entry for entry in self._entries if entry[0] != wanted]

    def remove_first(self, name: str) -> None:
        """Remove the first value of that name: of a comma list only its first part."""
        self.changes += 1
        wanted = fold_name(name)
        for index, (folded, original, value, _) in enumerate(self._entries):
            if folded == wanted:
                rest = split(value, ",")[1:] if wanted in LISTS else []
                self._entries[index : index + 1] = [_entry(original, ", ".join(rest))] if rest else []
                return

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.items())

    def __len__(self) -> int:
        return len(self._entries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.items() == other.items()

    __hash__ = None  # type: ignore[assignment]

    def items(self) -> list[tuple[str, str]]:
        """Return (name, value) in order."""
        return [(name, value) for _, name, value, _ in self._entries]

    def copy(self) -> "Headers":
        """Return an independent copy."""
        copied = Headers()
        copied._entries = list(self._entries)
        return copied

    def __str__(self) -> str:
        return "".join(
            f"{line}\r\n" if line is not None else f"{name}: {value}\r\n"
            for _, name, value, line in self._entries
        )


def parse_headers(lines: list[str], most: int = MAX_HEADERS) -> Headers:
    """Return the headers in ``lines``, which were cut at CRLF; folded lines are joined by a space.

    Raises:
        SipError: 400 for a line that is no header, 513 for too many or too long ones.
    """
    entries: list[Entry] = []
    index, count = 0, len(lines)
    while index < count:
        start = index
        index += 1
        while index < count and lines[index].startswith((" ", "\t")):
            index += 1
        line = lines[start]
        name, colon, value = line.partition(":")
        folded = FOLDED.get(name)
        if folded is None:
            name = name.rstrip(WSP)
            if not is_token(name):
                raise bad("header line")
            folded = fold_name(name)
        if not colon:
            raise bad("header line")
        if index > start + 1:
            line = "\r\n".join(lines[start:index])
            value = " ".join([value.strip(WSP), *(part.strip(WSP) for part in lines[start + 1 : index])])
        if "\r" in value or "\n" in value:
            raise bad("header line")
        value = value.strip(WSP)
        if len(value) > MAX_HEADER_VALUE or len(entries) >= most:
            raise SipError(513, "Message Too Large")
        entries.append((folded, name, value, line))
    return Headers.of_entries(entries)


def _entry(name: str, value: str) -> Entry:
    """Check an own header: a line break in it would let somebody write headers of their own."""
    folded = FOLDED.get(name)
    if (folded is None and not is_token(name)) or "\r" in value or "\n" in value:
        raise ValueError(f"not a header: {name!r}: {value!r}")
    return folded or fold_name(name), name, value, None
