"""Bootstrap lists in words and in JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from overlay.protocol.bootstrap_list import MAX_DAYS, BootstrapList, Entry

from .bootstrap import Standing, Verdict
from .narrate import spaced


def described(made: BootstrapList, now: float) -> dict[str, Any]:
    """Return a list as JSON takes it, without the network's key."""
    return {
        "name": made.name,
        "network": made.network.label,
        "private": made.is_private,
        "created": made.created,
        "lifetime_days": made.lifetime_days,
        "age_days": made.age_days(now),
        "expired": made.is_expired(now),
        "nodes": [
            {"endpoint": str(entry.endpoint), "score": entry.score, "days": entry.days}
            for entry in made.entries
        ],
    }


def signature(verdict: Verdict) -> dict[str, Any]:
    """Return who signed, as JSON takes it."""
    return {
        "standing": verdict.standing.value,
        "fingerprint": verdict.fingerprint,
        "whose": verdict.whose,
        "user_ids": list(verdict.user_ids),
        "doubt": verdict.doubt,
    }


def table(made: BootstrapList, verdict: Verdict | None, now: float) -> str:
    """Return a list as a person reads it."""
    rows = [("network", network_of(made)), ("made", age(made, now))]
    if verdict is not None:
        rows.append(("signature", signed_by(verdict)))
    rows.append(("nodes", str(len(made.entries))))
    lines = [made.name, *(f"  {name:<10} {text}" for name, text in rows)]
    if made.entries:
        lines += ["", *node_rows(made.best_first().entries)]
    return "\n".join(lines)


def nodes(made: BootstrapList) -> str:
    """Return how many nodes it names."""
    return f"{len(made.entries)} node{'s' if len(made.entries) != 1 else ''}"


def node_rows(entries: Sequence[Entry]) -> list[str]:
    """Return a line for each node, under a heading."""
    width = max(len(str(entry.endpoint)) for entry in entries)
    lines = [f"  {'node':<{width}}  score  seen"]
    lines += [f"  {entry.endpoint!s:<{width}}  {entry.score:>5}  {seen(entry.days)}" for entry in entries]
    return lines


def network_of(made: BootstrapList) -> str:
    """Return which network it is."""
    if made.is_private:
        return f"private, {made.network.label}: who has this list can take part"
    return "public: everybody can take part"


def age(made: BootstrapList, now: float) -> str:
    """Return when it was made, and whether its time is over."""
    days = made.age_days(now)
    when = f"on {datetime.fromtimestamp(made.created, UTC).date().isoformat()}"
    if days < 0:
        return f"{when}: in the future, so one of the two computers' clocks is wrong, which does no harm"
    ago = "today" if days == 0 else f"{days} day{'s' if days != 1 else ''} ago"
    if made.is_expired(now):
        return (
            f"{when}, {ago}: it was for {made.lifetime_days} days, and is used all the same, after newer ones"
        )
    return f"{when}, {ago}" + (f", for {made.lifetime_days} days" if made.lifetime_days else "")


def seen(days: int) -> str:
    """Return when a node was there last, counted back from the list's making."""
    if days == 0:
        return "that day"
    return f"{days}{'+' if days == MAX_DAYS else ''} day{'s' if days != 1 else ''} before"


def signed_by(verdict: Verdict) -> str:
    """Return who signed it, and what that is worth."""
    key = spaced(verdict.fingerprint)
    doubt = f" One thing is odd: {verdict.doubt}" if verdict.doubt else ""
    match verdict.standing:
        case Standing.UNSIGNED:
            return "none: anybody may have made it"
        case Standing.KNOWN:
            return f"valid, by {verdict.whose}: {key}.{doubt}"
        case Standing.STRANGER:
            names = ", ".join(_shown(name) for name in verdict.user_ids[:3]) or "no name"
            return f"valid, by a key that you do not know: {key} ({names}). Compare it by another way.{doubt}"
        case Standing.UNCHECKED:
            return f"not checked: its key is not here ({key}). Give it with --key FILE."


def _shown(text: str) -> str:
    """Return a stranger's text without anything that a terminal could obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:80])
