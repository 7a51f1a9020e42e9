"""Against another implementation, `sipmessage`: what it accepts we accept, and read the same in it.

It is stricter (no `*`, no hosts without a dot, few display names), so many inputs are only ours to judge; it is used in
tests only, and never for credentials, which it reads in exponential time.
"""

from urllib.parse import unquote as unescape

import sipmessage
from hypothesis import event, given
from hypothesis import strategies as st

from sipgate.protocol.address import Address
from sipgate.protocol.cseq import CSeq
from sipgate.protocol.uri import Uri
from sipgate.protocol.via import Via

from . import grammar

# it takes these for white space, cannot write them, or cuts quoted strings at them
SKIPPED = frozenset("\x0b\x1f\x85\xa0\u2028\udcff\udc80")


def either(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(values, grammar.spoilt(values)).filter(SKIPPED.isdisjoint)


def same_parameters(theirs: sipmessage.Parameters, ours: dict[str, str | None]) -> bool:
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


@given(either(grammar.vias()))
def test_via(text: str) -> None:
    try:
        theirs = sipmessage.Via.parse(text)
    except ValueError:
        return
    event("accepted by both")
    ours = Via.parse(text)
    assert (theirs.transport.upper(), theirs.host, theirs.port) == (ours.transport, ours.host, ours.port)
    assert same_parameters(theirs.parameters, ours.parameters)


@given(either(grammar.cseqs).filter(str.isascii))  # it takes the digits of all scripts
def test_cseq(text: str) -> None:
    try:
        theirs = sipmessage.CSeq.parse(text)
    except ValueError:
        return
    if theirs.sequence >= 2**31:
        return
    event("accepted by both")
    ours = CSeq.parse(text)
    assert (theirs.sequence, theirs.method) == (ours.number, ours.method)


@given(either(grammar.uris))
def test_uri(text: str) -> None:
    try:
        theirs = sipmessage.URI.parse(text)
    except ValueError:
        return
    event("accepted by both")
    assert same_uri(theirs, Uri.parse(text))


@given(either(grammar.addresses()))
def test_address(text: str) -> None:
    try:
        theirs = sipmessage.Address.parse(text)
    except ValueError:
        return
    event("accepted by both")
    ours = Address.parse(text)
    assert same_uri(theirs.uri, ours.uri)
    assert same_parameters(theirs.parameters, ours.parameters)
    assert theirs.name == ours.display_name
