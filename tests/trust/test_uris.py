"""Mesh URIs in their canonical form."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust.uris import BadUri, MeshUri, fingerprint_of_uri, self_certifying_uri

FINGERPRINT = "C90F91EEB21B9E4B20F382D4ED19A9EE29CAF8D4"


def test_a_self_certifying_uri_is_the_fingerprint_in_base32() -> None:
    uri = self_certifying_uri("bob", FINGERPRINT)
    assert uri == "sip:bob@zehzd3vsdopewihtqlko2gnj5yu4v6gu.mesh"
    assert fingerprint_of_uri(uri) == FINGERPRINT
    assert fingerprint_of_uri("sip:bob@mesh") is None


@given(st.from_regex(r"[a-z0-9][a-z0-9._+-]{0,63}", fullmatch=True), st.binary(min_size=20, max_size=20))
def test_each_uri_reads_back_as_it_was_written(user: str, fingerprint: bytes) -> None:
    text = self_certifying_uri(user, fingerprint.hex().upper())
    assert MeshUri.parse(text) == MeshUri(user, fingerprint.hex().upper())
    assert str(MeshUri.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bob@mesh",
        "sip:bob@Mesh",
        "sip:Bob@mesh",
        "sips:bob@mesh",
        "sip:bob@mesh;transport=tcp",
        "sip:bob@mesh:5060",
        "sip:bob@mesh\n",
        "sip:bob@example.mesh",
        "sip:.bob@mesh",
        f"sip:{'b' * 65}@mesh",
        "sip:bób@mesh",
        "sip:bob@" + "a" * 31 + ".mesh",
        "sip:bob@" + "1" * 32 + ".mesh",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadUri):
        MeshUri.parse(text)


@pytest.mark.parametrize(
    "fingerprint", ["", FINGERPRINT.lower(), FINGERPRINT[:-1], "Z" * 40, FINGERPRINT + "\n"]
)
def test_a_malformed_fingerprint_is_refused(fingerprint: str) -> None:
    with pytest.raises(ValueError, match="40 upper-case"):
        self_certifying_uri("bob", fingerprint)


@given(st.text(max_size=200))
def test_parsing_raises_nothing_else(text: str) -> None:
    with contextlib.suppress(BadUri):
        assert str(MeshUri.parse(text)) == text
