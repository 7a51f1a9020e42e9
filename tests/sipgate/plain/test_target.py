"""What a phone dialled: the mesh or a plain domain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipgate.plain.target import plain_uri, shown
from sipgate.protocol.errors import SipError
from sipgate.protocol.uri import Uri
from sipgate.target import is_mesh_host

OWN = {"localhost", "127.0.0.1", "[::1]"}


@pytest.mark.parametrize(
    ("dialled", "request_uri", "name"),
    [
        ("sip:carol@example.org", "sip:carol@example.org", "sip:carol@example.org"),
        ("sip:Carol@EXAMPLE.org.", "sip:Carol@example.org", "sip:Carol@example.org"),
        ("sips:carol@example.org", "sips:carol@example.org", "sips:carol@example.org"),
        (
            "sip:+4930123;phone-context=x@example.org:5080;transport=tcp;user=phone;method=BYE",
            "sip:+4930123;phone-context=x@example.org:5080;transport=tcp;user=phone",
            "sip:+4930123;phone-context=x@example.org:5080",
        ),
        ("sip:carol:secret@example.org?Replaces=x", "sip:carol@example.org", "sip:carol@example.org"),
        ("sip:carol@192.0.2.1", "sip:carol@192.0.2.1", "sip:carol@192.0.2.1"),
        ("sip:carol@[2001:db8::1]", "sip:carol@[2001:db8::1]", "sip:carol@[2001:db8::1]"),
        (
            "sip:carol@example.org;maddr=10.0.0.1",
            "sip:carol@example.org;maddr=10.0.0.1",
            "sip:carol@example.org",
        ),
    ],
)
def test_an_address_outside_of_the_mesh(dialled: str, request_uri: str, name: str) -> None:
    uri = plain_uri(Uri.parse(dialled), "mesh", OWN)
    assert uri is not None
    assert (str(uri), shown(uri)) == (request_uri, name)


@pytest.mark.parametrize(
    "dialled",
    [
        *(
            "sip:bob@mesh",
            "sip:bob@MESH",
            "sip:bob@mesh.",
            "sip:bob@typo.mesh",
            "sip:bob@a.b.mesh.",
            "sip:bob",
        ),
        *("sip:bob@localhost", "sip:bob@127.0.0.1", "sip:bob@[::1]", "sip:bob@host", "sip:bob@a.localhost"),
        *(
            "sip:bob@printer.local",
            "sip:bob@x.onion",
            "sip:example.org",
            "tel:+4930123",
            "mailto:bob@example.org",
        ),
        *(f"sip:{'b' * 129}@example.org", f"sip:bob@{'a.' * 130}org"),
    ],
)
def test_what_means_the_mesh_or_nothing_is_never_asked_of_the_dns(dialled: str) -> None:
    assert plain_uri(Uri.parse(dialled), "mesh", OWN) is None


@given(
    st.from_regex(
        r"sip:[a-z0-9%.;+]{1,8}@[a-zA-Z0-9.\-]{0,12}(mesh|MESH|org)\.?(;[a-z]{1,4})?", fullmatch=True
    )
)
def test_no_name_of_the_mesh_leaves_it(text: str) -> None:
    try:
        uri = Uri.parse(text)
    except SipError:
        return
    found = plain_uri(uri, "mesh", OWN)
    if found is not None:
        assert not is_mesh_host(uri.host.lower().rstrip("."), "mesh")
        assert not f".{found.host}".endswith(".mesh")
        assert Uri.parse(str(found)) == found
