import pytest
from hypothesis import given
from hypothesis import strategies as st

from freecall.errors import NotAMeshUri
from freecall.mesh_uri import canonical, is_secret, login_name, name_of, secret_from, short_uri, user_of

LONG = "sip:bob@mfrggzdfmztwq2lkmfrggzdfmztwq2lk.mesh"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("bob", "sip:bob@mesh"),
        ("bob@mesh", "sip:bob@mesh"),
        ("SIP:Bob@MESH", "sip:bob@mesh"),
        ("<sip:bob@mesh;transport=tcp>", "sip:bob@mesh"),
        (" sips:bob@mesh ", "sip:bob@mesh"),
        (LONG.upper(), LONG),
    ],
)
def test_what_people_type_becomes_one_form(typed: str, meant: str) -> None:
    assert canonical(typed) == meant


@pytest.mark.parametrize(
    "typed", ["", "@", "bob@", "bob@example.org", "bob@short.mesh", "b b@mesh", "bob@mesh@mesh", "ä@mesh"]
)
def test_anything_else_is_a_sentence(typed: str) -> None:
    with pytest.raises(NotAMeshUri, match="bob@mesh"):
        canonical(typed)


@given(st.text(max_size=80))
def test_canonical_is_stable_or_refuses(text: str) -> None:
    try:
        once = canonical(text)
    except NotAMeshUri:
        return
    assert canonical(once) == once


def test_the_login_name_is_a_user_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for login, name in (("Alice Müller", "alice-m-ller"), ("...", "me"), ("x" * 100, "x" * 64)):
        monkeypatch.setattr("getpass.getuser", lambda login=login: login)
        assert login_name() == name
        assert user_of(canonical(login_name())) == name


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("sip:bob@mesh", "bob"),
        (LONG, "bob"),
        ("sip:bob+q7k3m5x2p4r6t7v2@mesh", "bob"),
        ("sip:bob+work+q7k3m5x2p4r6t7v2@mesh", "bob+work"),
        ("sip:bob+work@mesh", "bob+work"),
        ("sip:bob+q7k3m5x2p4r6t7v1@mesh", "bob+q7k3m5x2p4r6t7v1"),
        ("sip:bob+q7k3m5x2p4r6t7v2" + LONG.removeprefix("sip:bob"), "bob"),
    ],
)
def test_the_secret_of_an_unlisted_address_is_not_part_of_the_name(uri: str, name: str) -> None:
    assert canonical(uri) == uri
    assert name_of(uri) == name


def test_both_forms_of_an_address_have_one_short_form() -> None:
    assert short_uri(LONG) == short_uri("sip:bob@mesh") == "sip:bob@mesh"


@given(st.binary(min_size=10, max_size=10))
def test_ten_random_bytes_make_a_secret_that_can_be_dialled(drawn: bytes) -> None:
    secret = secret_from(drawn)
    assert is_secret(secret)
    assert canonical(f"bob+{secret}".upper()) == f"sip:bob+{secret}@mesh"
