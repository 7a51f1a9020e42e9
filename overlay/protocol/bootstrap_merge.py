"""Several lists of one network become one: what we reached ourselves counts more than what others say."""

from collections.abc import Iterable

from .bootstrap_list import MAX_DAYS, MAX_NODES, BootstrapList, Entry


def merge(
    lists: Iterable[BootstrapList], own: Iterable[Entry], *, now: int, most: int = MAX_NODES
) -> tuple[Entry, ...]:
    """Return the nodes of several lists of one network, best first, with days counted back from ``now``.

    ``own`` are nodes that we reached ourselves; what others say counts half, and a quarter past the list's lifetime.
    Of several opinions on a node the best counts, then the newest. What is too much is left out: the places left by
    our own are dealt to the lists in turn, so that a long list with high scores pushes no other out.
    """
    reached = {entry.endpoint: entry for entry in own}
    hands = [_hearsay(heard, now) for heard in lists]
    best = dict(reached)
    for entry in (entry for hand in hands for entry in hand):
        best[entry.endpoint] = min(best.get(entry.endpoint, entry), entry, key=lambda e: e.rank)
    chosen = dict.fromkeys(sorted(reached, key=lambda endpoint: reached[endpoint].rank))
    for turn in range(max(map(len, hands), default=0)):
        chosen.update(dict.fromkeys(hand[turn].endpoint for hand in hands if turn < len(hand)))
    kept = list(chosen)[:most]
    return tuple(sorted((best[endpoint] for endpoint in kept), key=lambda entry: entry.rank))


def _hearsay(heard: BootstrapList, now: int) -> list[Entry]:
    """Return a list's nodes as we think of them, best first. A clock before its creation changes nothing."""
    older = max(0, heard.age_days(now))
    share = 4 if heard.is_expired(now) else 2
    return sorted(
        (Entry(e.endpoint, e.score // share, min(MAX_DAYS, e.days + older)) for e in heard.entries),
        key=lambda entry: entry.rank,
    )
