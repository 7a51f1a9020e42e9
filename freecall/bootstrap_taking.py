"""Taking a bootstrap list from somebody: read, judged by its signature, accepted or refused by the way it came."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from overlay.protocol.bootstrap_list import BootstrapList, ListRefused, SignedList
from trust.openpgp import KeyVerifier
from trust.pins import Pins

from .bootstrap import KnownKey, Standing, Verdict, judge
from .bootstrap_source import Way, read_source


@dataclass(frozen=True)
class Taken:
    """A list that was read, who signed it, and how it came."""

    signed: SignedList
    made: BootstrapList
    verdict: Verdict
    way: Way


async def take(
    source: str, standard_input: BinaryIO, known: Sequence[KnownKey], signed_by: str = ""
) -> Taken:
    """Return the list at ``source``.

    Raises:
        FreeCallError: it cannot be had.
        ListRefused: it is none, damaged, tampered with, or not signed by the key with the fingerprint ``signed_by``.
    """
    return await judged(*read_source(source, standard_input), known, signed_by)


async def judged(signed: SignedList, way: Way, known: Sequence[KnownKey], signed_by: str = "") -> Taken:
    """Return a list with who signed it. Raises `ListRefused` as `take` does."""
    verdict = await judge(signed, KeyVerifier(), known)
    wanted = "".join(signed_by.split()).upper()
    if wanted and (verdict.fingerprint != wanted or verdict.standing is Standing.UNCHECKED):
        raise ListRefused(f"it is not signed by {wanted}, or that cannot be checked (see --key)")
    return Taken(signed, signed.content, verdict, way)


def accept(taken: Taken, *, vouched: bool) -> None:
    """Agree to begin with the nodes of a list. ``vouched``: the user has named the key that must have signed it.

    Raises:
        ListRefused: it came over the Internet, and nobody that we know answers for it.
    """
    if taken.way is Way.HTTP and not vouched and taken.verdict.standing is not Standing.KNOWN:
        raise ListRefused(
            "it came over plain http, where anybody on the way can change it, so it must be signed by a key "
            "that you know. Fetch it over https, or name the signer's fingerprint with --signed-by"
        )
    entries = taken.made.entries
    if taken.way is not Way.HAND and entries and all(entry.endpoint.is_loopback for entry in entries):
        raise ListRefused("it names this very computer only")


def known_people(pins: Pins) -> list[KnownKey]:
    """Return the keys of those whom the user has called."""
    return [KnownKey(f"{pin.uri.removeprefix('sip:')}, whom you know", pin.key) for pin in pins]
