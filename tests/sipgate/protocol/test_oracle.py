"""Against another implementation, `sipmessage`: what both accept, both read the same.

In places it is stricter (no `*`, no hosts without a dot, few display names), in others looser (the digits of all
scripts, open quotes). It is used in tests only, and never for credentials, which it reads in exponential time.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote as unescape

import sipmessage
from hypothesis import HealthCheck, event, given, reject, settings
from hypothesis import strategies as st

from sipgate.protocol.address import Address
from sipgate.protocol.cseq import CSeq
from sipgate.protocol.errors import SipError
from sipgate.protocol.uri import Uri
from sipgate.protocol.via import Via

from . import grammar

# it takes these for white space, cannot write them, or cuts quoted strings at them
SKIPPED = frozenset("\x0b\x1f\x85\xa0\u2028\udcff\udc80")


SETTINGS = settings(derandomize=True, suppress_health_check=[HealthCheck.filter_too_much], max_examples=150)


def either(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(values, grammar.spoilt(values)).filter(SKIPPED.isdisjoint)


def accepted_by_both(theirs: Callable[[str], Any], ours: Callable[[str], Any], text: str) -> tuple[Any, Any]:
    """Return what each read; other inputs are not for this test."""
    try:
        read = theirs(text), ours(text)
    except (ValueError, SipError):
        reject()
    event("accepted by both")
    return read


def same_parameters(theirs: sipmessage.Parameters, ours: Mapping[str, str | None]) -> bool:
    """Compare; it cuts quoted strings at semicolons and equals signs, so those are left out."""
    if any(value and set(value) & set('";=') for value in ours.values()):
        return True
    read = {unescape(name).lower(): value and unescape(value) for name, value in ours.items()}
    return {name.lower(): value for name, value in theirs.items()} == read


def same_uri(theirs: sipmessage.URI, ours: Uri) -> bool:
    if theirs.scheme == "tel":
        return ours.scheme == "tel" and (ours.opaque or "").partition(";")[0] == theirs.user
    user, password = (None if not part else unescape(part) for part in (ours.user, ours.password))
    return (theirs.scheme, theirs.user, theirs.password, theirs.host, theirs.port) == (
        ours.scheme,
        user,
        password,
        ours.host,
        ours.port,
    ) and same_parameters(theirs.parameters, ours.parameters)


@SETTINGS
@given(either(grammar.vias()))
def test_via(text: str) -> None:
    theirs, ours = accepted_by_both(sipmessage.Via.parse, Via.parse, text)
    assert (theirs.transport.upper(), theirs.host, theirs.port) == (ours.transport, ours.host, ours.port)
    assert same_parameters(theirs.parameters, ours.parameters)


@SETTINGS
@given(either(grammar.cseqs))
def test_cseq(text: str) -> None:
    theirs, ours = accepted_by_both(sipmessage.CSeq.parse, CSeq.parse, text)
    if theirs.sequence >= 2**31:
        return
    assert (theirs.sequence, theirs.method) == (ours.number, ours.method)


@SETTINGS
@given(either(grammar.uris))
def test_uri(text: str) -> None:
    theirs, ours = accepted_by_both(sipmessage.URI.parse, Uri.parse, text)
    assert same_uri(theirs, ours)


@SETTINGS
@given(either(grammar.addresses()))
def test_address(text: str) -> None:
    theirs, ours = accepted_by_both(sipmessage.Address.parse, Address.parse, text)
    assert same_uri(theirs.uri, ours.uri)
    assert same_parameters(theirs.parameters, ours.parameters)
    # it keeps some quoted pairs, and reads a tab as a space
    assert "\\" in text or theirs.name == ours.display_name.replace("\t", " ")
