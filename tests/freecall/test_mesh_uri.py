import pytest
from hypothesis import given
from hypothesis import strategies as st

from freecall.errors import NotAMeshUri
from freecall.mesh_uri import canonical, login_name, user_of

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
