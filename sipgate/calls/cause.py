"""Why a call ends or never began, as it travels in Reason headers (RFC 3326) and reason phrases."""

from __future__ import annotations

from dataclasses import dataclass

from sipgate.ports import MediaRefused, Refusal

MAX_TEXT = 160
MAX_PHRASE = 72

PHRASES = {
    300: "Several people share this name",
    400: "Bad request",
    403: "Not allowed",
    404: "Nobody has this name",
    408: "No answer in time",
    433: "Anonymous calls are not taken",
    480: "Not reachable now",
    481: "No such call",
    482: "This call has come here already",
    483: "Too many hops",
    486: "Busy",
    487: "Call cancelled",
    488: "Media not usable here",
    491: "Another change is pending",
    500: "This node has a fault",
    503: "Service unavailable",
    600: "Busy everywhere",
    603: "Declined",
}


@dataclass(frozen=True)
class Cause:
    """A SIP status and a sentence."""

    status: int
    text: str

    def __str__(self) -> str:
        """Return the value of a Reason header."""
        return f'SIP;cause={self.status};text="{escape(plain(self.text, MAX_TEXT))}"'


ELSEWHERE = Cause(200, "Call completed elsewhere")
HUNG_UP = Cause(200, "hung up")
CANCELLED = Cause(487, "Call cancelled")
FAULT = Cause(500, "This node has a fault")
GONE = Cause(408, "The phone no longer answers")
LOST = Cause(408, "The other side did not confirm a change of the call")


def why_unwanted(refusal: Refusal) -> Cause:
    """Return why an answer is hung up: its media cannot be used, or nobody waits for it any more."""
    return Cause(refusal.status, refusal.reason) if isinstance(refusal, MediaRefused) else CANCELLED


def escape(text: str) -> str:
    """Return the inside of a quoted-string (RFC 3261 25.1)."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def plain(text: str, limit: int) -> str:
    """Return one line of printable text, at most `limit` characters: what comes from outside may be shown."""
    clean = "".join(char if char.isprintable() else " " for char in text[: 4 * limit])
    clean = " ".join(clean.split())
    if len(clean) <= limit:
        return clean
    return clean[: limit - 3].rsplit(" ", 1)[0] + "..."


def phrase(refusal: Refusal) -> str:
    """Return the reason phrase: phones show it, so it is the sentence, shortened."""
    return plain(refusal.reason, MAX_PHRASE) or PHRASES.get(refusal.status, "Refused")


def parse_reason(values: list[str]) -> Cause | None:
    """Return the first SIP cause among Reason header values, None when there is none that can be read."""
    for value in values:
        protocol, _, rest = value.partition(";")
        if protocol.strip().upper() != "SIP":
            continue
        parameters = _parameters(rest)
        cause = parameters.get("cause", "")
        if cause.isascii() and cause.isdigit() and len(cause) == 3 and 200 <= int(cause) <= 699:
            return Cause(int(cause), plain(parameters.get("text", ""), MAX_TEXT))
    return None


def _parameters(rest: str) -> dict[str, str]:
    """Split `a=1;b="x;y"`, quoted strings kept whole; linear."""
    found: dict[str, str] = {}
    for item in _split(rest):
        name, _, value = item.partition("=")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] == '"':
            value = _unescape(value[1:-1])
        found.setdefault(name.strip().lower(), value)
    return found


def _split(rest: str) -> list[str]:
    items, start, quoted, position = [], 0, False, 0
    while position < len(rest):
        char = rest[position]
        if quoted and char == "\\":
            position += 1
        elif char == '"':
            quoted = not quoted
        elif char == ";" and not quoted:
            items.append(rest[start:position])
            start = position + 1
        position += 1
    items.append(rest[start:])
    return items


def _unescape(text: str) -> str:
    out, escaped = [], False
    for char in text:
        if char == "\\" and not escaped:
            escaped = True
        else:
            out.append(char)
            escaped = False
    return "".join(out)
