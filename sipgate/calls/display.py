"""The name that a phone shows: who calls or is called, and how sure we are, in words."""

import unicodedata
from functools import lru_cache

from sipgate.ports import Peer, Trust

from .cause import escape

MAX_NAME = 48
SEPARATOR = " · "

_WORDS: dict[Trust, str] = {
    "new": "new person",
    "introduced": "introduced",
    "pinned": "same key",
    "verified": "verified",
    "self": "",
    "plain": "not encrypted",
    "anonymous": "",
}
_ALLOWED = frozenset(" -'._,()@+&")


@lru_cache(maxsize=512)
def plain_name(name: str) -> str:
    """Return a name reduced to letters, marks, digits and plain punctuation.

    A peer chooses its own name. Nothing in it may look like our separator, or turn the direction of writing,
    so that "bob · verified" cannot come from outside.
    """
    kept = [
        char for char in name[: 4 * MAX_NAME] if char in _ALLOWED or unicodedata.category(char)[0] in "LMN"
    ]
    return " ".join("".join(kept).split())[:MAX_NAME].strip()


def shown_name(peer: Peer) -> str:
    """Return for example `alice · same key`."""
    name = plain_name(peer.display_name) or peer.uri.partition(":")[2].partition("@")[0][:MAX_NAME]
    words = _WORDS[peer.trust]
    return f"{name}{SEPARATOR}{words}" if words else name


def name_addr(peer: Peer) -> str:
    """Return `"alice · same key" <sip:alice@mesh>`, for From and P-Asserted-Identity towards a phone."""
    return f'"{escape(shown_name(peer))}" <{peer.uri}>'
