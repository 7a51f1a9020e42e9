"""The media of phones of this node: where each is, who can talk directly, and how they share a port of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sipgate.addresses import literal
from sipgate.location import Binding
from sipgate.ports import PhoneSide
from sipgate.protocol.media_lines import has_fingerprint, has_keys

from .borrowed import innermost
from .dialog_leg import DialogLeg
from .leg import Leg
from .line import LOOPBACK, host_of


@dataclass(frozen=True)
class Place:
    """Where a phone's media is: our address as it sees it, and the addresses of its own.

    It `must_encrypt` (when it is called: by keys that come `by_dtls`, or stand in the offer), or need not.
    """

    local_host: str
    hosts: frozenset[str]
    must_encrypt: bool = False
    by_dtls: bool = False


BROWSER = Place(LOOPBACK, frozenset({LOOPBACK}))


def places_of(phones: Sequence[Binding], *, beside: bool) -> tuple[Place, ...]:
    """Return the places of registered phones, and that of a handset `beside` them."""
    registered = (
        Place(
            phone.route.local_host,
            frozenset(host_of(way) for way in phone.route.ways),
            phone.must_encrypt,
            phone.by_dtls,
        )
        for phone in phones
    )
    return (*registered, *((BROWSER,) if beside else ()))


def must_encrypt(leg: Leg) -> bool:
    """Tell whether the phone of a leg must encrypt its media."""
    inner = innermost(leg)
    return isinstance(inner, DialogLeg) and inner.line.must_encrypt


def place_of(leg: Leg) -> Place:
    """Return the place of the phone of a leg, which goes on as it has encrypted."""
    return Place(
        leg.local_host, frozenset({leg.remote_host}), must_encrypt(leg), has_fingerprint(leg.session)
    )


def media_side(places: Sequence[Place]) -> PhoneSide:
    """Return what the media of these phones is: one port for all, at an address of ours that each of them reaches.

    A phone on this machine reaches all of our addresses, and may use one of them for its own.
    """
    hosts = [place.local_host for place in places]
    host = next((each for each in hosts if not _is_loopback(each)), hosts[0] if hosts else LOOPBACK)
    own = frozenset({host} if any(map(_is_loopback, hosts)) else ())
    return PhoneSide(host, own.union(*(place.hosts for place in places)))


def talk_directly(caller: Place, offer: bytes, callees: Sequence[Place], *, is_sent_on: bool) -> bool:
    """Tell whether the offer may go to the called phones as it is.

    They must be on one network with the caller, and need the same: all plain, or encrypted from end to end in one way.
    Keys in an offer are for one phone. The caller's may change with the answer of one that `is_sent_on`, which nobody
    would hear.
    """
    places = (caller, *callees)
    if len({place.local_host for place in places}) > 1 or len({place.must_encrypt for place in places}) > 1:
        return False
    if caller.must_encrypt:
        is_one_kind = all(place.by_dtls == has_fingerprint(offer) for place in callees)
        return len(callees) == 1 and is_one_kind and not is_sent_on
    return not has_keys(offer) or _is_loopback(caller.local_host)


def _is_loopback(host: str) -> bool:
    return literal(host).is_loopback
