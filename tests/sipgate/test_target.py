"""The forms in which people dial."""

import pytest

from sipgate.ports import Refusal
from sipgate.protocol.uri import Uri
from sipgate.target import mesh_uri

FINGERPRINT = "abcdefghijklmnopqrstuvwxyz234567"
OWN = {"127.0.0.1", "[::1]", "localhost"}


@pytest.mark.parametrize(
    ("dialled", "meant"),
    [
        ("sip:bob@mesh", "sip:bob@mesh"),
        ("sip:BOB@Mesh;user=phone", "sip:bob@mesh"),
        ("sip:bob@mesh:5060;transport=udp", "sip:bob@mesh"),
        ("sip:b%6fb@mesh", "sip:bob@mesh"),
        ("sip:bob", "sip:bob@mesh"),
        ("sip:bob@127.0.0.1:5060", "sip:bob@mesh"),
        ("sip:bob@[::1]", "sip:bob@mesh"),
        (f"sip:bob@{FINGERPRINT.upper()}.mesh", f"sip:bob@{FINGERPRINT}.mesh"),
    ],
)
def test_every_form_of_a_name_is_understood(dialled: str, meant: str) -> None:
    assert mesh_uri(Uri.parse(dialled), "mesh", OWN) == meant


@pytest.mark.parametrize(
    ("dialled", "status"),
    [
        ("tel:+4930123", 416),
        ("sips:bob@mesh", 416),
        ("sip:bob@example.org", 404),
        ("sip:bob@short.mesh", 404),
        ("sip:bob@mesh.", 404),
        ("sip:b%00b@mesh", 404),
        ("sip:" + "b" * 65 + "@mesh", 404),
        ("sip:.@mesh", 404),
    ],
)
def test_what_cannot_be_called_is_refused_with_a_sentence(dialled: str, status: int) -> None:
    with pytest.raises(Refusal) as refused:
        mesh_uri(Uri.parse(dialled), "mesh", OWN)
    assert refused.value.status == status
    assert refused.value.reason
