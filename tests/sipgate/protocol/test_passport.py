import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from sipgate.protocol import passport
from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Request, parse_message

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
BODY = b"v=0\r\na=fingerprint:sha-256 ab:CD\r\nm=audio 9 x 0\r\na=fingerprint:SHA-256 AB:CD\r\n"

# the vector of docs/protocol/sip-messages.md: seed 00 01 … 1f
HEADER = (
    '{"alg":"EdDSA","ppt":"fc1","typ":"passport","x5u":"urn:freecall:node:aoqqpp7tzyil4hlq3umoos6atft6jvr'
    'qtosq2xy53sdgiesvgg4a"}'
)
PAYLOAD = (
    '{"bdy":"jAbzho71bU9bnM6A6nA-jU--lLrdZb9rvs90xA0EmbE","cid":"abc","csq":"1 INVITE","dest":{"uri":["si'
    'p:bob@mesh"]},"iat":1800000000,"mky":[{"alg":"sha-256","dig":"AB:CD"}],"orig":{"uri":"sip:alice@mesh'
    '"}}'
)
SIGNATURE = "ikublPde9VEbe6HqS9xukoh1lZ8ERHGDdbPJQKqhsiiOvMrd6HDoWXoLKZlj7q_6qhhD40xzfHcDa3REyEfYCA"


def request(*, signed: bool = True) -> Request:
    message = Request("INVITE", "sip:bob@mesh")
    for name, value in (
        ("Via", "SIP/2.0/TLS 192.0.2.1;branch=z9hG4bKa"),
        ("From", "Alice <sip:Alice@mesh>;tag=1"),
        ("To", "<sip:bob@mesh>"),
        ("Call-ID", "abc"),
        ("CSeq", "1 INVITE"),
    ):
        message.headers.add(name, value)
    message.set_body("application/sdp", BODY)
    if signed:
        message.headers.add("Identity", passport.sign(message, PUBLIC, 1_800_000_000, KEY.sign))
    return message


def refused(message: Request) -> int:
    with pytest.raises(SipError) as caught:
        passport.verify(message)
    return caught.value.status


def resigned(change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Request:
    """Return the request with header and payload changed, and signed again with the right key."""
    message = request(signed=False)
    token = passport.sign(message, PUBLIC, 1_800_000_000, KEY.sign).partition(";")[0]
    header, payload = (json.loads(urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
    change(header, payload)
    parts = [urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, payload)]
    signature = urlsafe_b64encode(KEY.sign(".".join(parts).encode())).decode().rstrip("=")
    message.headers.add(
        "Identity", f"{'.'.join([*parts, signature])};info=<{header.get('x5u')}>;alg=EdDSA;ppt=fc1"
    )
    return message


def test_a_signed_request_names_its_node() -> None:
    found = passport.verify(request())
    assert found.node_public_key == PUBLIC
    assert (found.orig, found.dest, found.issued_at) == ("sip:alice@mesh", "sip:bob@mesh", 1_800_000_000)


def test_the_token_is_the_one_that_another_implementation_makes() -> None:
    """A vector: Ed25519 is deterministic, and the JSON is in RFC 8225's deterministic form."""
    token = (request().headers.get("Identity") or "").partition(";")[0]
    header, payload, _ = token.split(".")
    assert urlsafe_b64decode(header + "==").decode() == HEADER
    assert urlsafe_b64decode(payload + "==").decode() == PAYLOAD
    assert token.rpartition(".")[2] == SIGNATURE


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("From", "<sip:eve@mesh>;tag=1"),
        ("To", "<sip:carol@mesh>"),
        ("Call-ID", "abd"),
        ("CSeq", "2 INVITE"),
    ],
)
def test_another_header_than_the_signed_one_is_438(header: str, value: str) -> None:
    message = request()
    message.headers.set(header, value)
    assert refused(message) == 438


def test_another_body_is_438() -> None:
    message = request()
    message.set_body("application/sdp", BODY.replace(b"CD", b"CE"))
    assert refused(message) == 438


def test_no_identity_is_428_and_two_are_438() -> None:
    assert refused(request(signed=False)) == 428
    message = request()
    message.headers.add("Identity", message.headers.get("Identity") or "")
    assert refused(message) == 438


@pytest.mark.parametrize(
    "change",
    [
        lambda header, _: header.update(alg="none"),
        lambda header, _: header.update(ppt="shaken"),
        lambda header, _: header.update(typ="JWT"),
        lambda header, _: header.update(x5u="https://example.org/cert"),
        lambda header, _: header.update(x5u=passport.node_urn(bytes(32))),
        lambda header, _: header.update(x5u=7),
        lambda _, payload: payload.update(iat="now"),
        lambda _, payload: payload.update(iat=True),
        lambda _, payload: payload.update(iat=1.8e9),
        lambda _, payload: payload.update(iat=-1),
        lambda _, payload: payload.update(iat=2**53),
        lambda _, payload: payload.update(iat=10**4000),
        lambda _, payload: payload.pop("iat"),
        lambda _, payload: payload.update(cid="abd"),
        lambda _, payload: payload.update(csq="1 BYE"),
        lambda _, payload: payload.update(csq=["1 INVITE"]),
        lambda _, payload: payload.update(bdy=payload["bdy"][:-1] + "F"),
        lambda _, payload: payload.update(mky=[]),
        lambda _, payload: payload.update(mky=[{"alg": "sha-256", "dig": "AB:CE"}]),
        lambda _, payload: payload.update(mky=payload["mky"] * 2),
        lambda _, payload: payload.update(orig={"uri": "sip:alice@mesh", "tn": "1"}),
        lambda _, payload: payload.update(dest={"uri": ["sip:bob@mesh", "sip:eve@mesh"]}),
        lambda _, payload: payload.pop("orig"),
        lambda _, payload: payload.pop("dest"),
        lambda header, _: header.update(
            x5u=header["x5u"].upper().replace("URN:FREECALL:NODE:", passport.URN)
        ),
        lambda header, _: header.update(x5u=header["x5u"][:-1] + "b"),  # a bit beyond the key
        lambda header, _: header.pop("x5u"),
        lambda _, payload: payload.update(orig={"uri": "sip:eve@mesh"}),
        lambda _, payload: payload.update(dest={"uri": ["sip:eve@mesh"]}),
        lambda _, payload: payload.update(more=1),
        lambda _, payload: payload.pop("mky"),
        lambda _, payload: payload.pop("bdy"),
    ],
)
def test_a_token_that_says_something_else_is_438(change: Callable[[Any, Any], None]) -> None:
    assert refused(resigned(change)) == 438


def test_an_unchanged_token_signed_again_holds() -> None:
    assert passport.verify(resigned(lambda _header, _payload: None)).node_public_key == PUBLIC


@pytest.mark.parametrize(
    "value", ["", "a.b", "a.b.c", "....", "e30.e30.e30", "[" * 4000 + ".a.a", "é.é.é", "x" * 9000]
)
def test_garbage_is_438(value: str) -> None:
    message = request(signed=False)
    message.headers.add("Identity", value)
    assert refused(message) == 438


@given(st.text(alphabet=st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=80))
def test_random_tokens_raise_only_the_one_exception(value: str) -> None:
    message = request(signed=False)
    message.headers.add("Identity", value)
    assert refused(message) == 438


def spoilt(position: int, change: Callable[[str], str]) -> Request:
    """Return the request with one of the three parts of its token changed."""
    message = request()
    token, _, rest = (message.headers.get("Identity") or "").partition(";")
    parts = token.split(".")
    parts[position] = change(parts[position])
    message.headers.set("Identity", f"{'.'.join(parts)};{rest}")
    return message


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize(
    "change",
    [
        lambda part: part[:0],
        lambda part: part[:-1],
        lambda part: ("A" if part[0] != "A" else "B") + part[1:],
        lambda part: part + "=",
        lambda part: part + "A" * 4,
        lambda part: f"{part[:4]} {part[4:]}",
        lambda part: part.replace("-", "+").replace("_", "/") + "+",
        lambda part: "é" + part,
        lambda part: f"\udcff{part}",
    ],
)
def test_a_token_changed_in_any_part_is_438(position: int, change: Callable[[str], str]) -> None:
    assert refused(spoilt(position, change)) == 438


def test_one_signature_has_one_spelling() -> None:
    """The last character of 64 bytes in base64 has four spare bits; only zeros are taken."""
    assert SIGNATURE.endswith("A")
    for last in "BCDEFGHIJKLMNOP":
        assert refused(spoilt(2, lambda part, last=last: part[:-1] + last)) == 438  # type: ignore[misc]


@pytest.mark.parametrize("text", ["[" * 2500, '{"a":' * 1000, "1" * 5000, "\ufeff{}", "[]", "null", "NaN"])
def test_odd_json_is_438(text: str) -> None:
    piece = urlsafe_b64encode(text.encode()).decode().rstrip("=")
    assert refused(spoilt(0, lambda _: piece)) == 438
    assert refused(spoilt(1, lambda _: piece)) == 438


def test_json_in_utf_16_is_438() -> None:
    piece = urlsafe_b64encode(HEADER.encode("utf-16")).decode().rstrip("=")
    assert refused(spoilt(0, lambda _: piece)) == 438


@pytest.mark.parametrize(
    "change",
    [
        lambda value: f"{value}, {value}",
        lambda value: value.partition(";")[0],
        lambda value: value.replace("info=<urn", "info=<https"),
        lambda value: value.replace(";alg=EdDSA", ""),
        lambda value: value.replace(";alg=EdDSA", ";alg=ES256"),
        lambda value: value.replace("ppt=fc1", "ppt=div"),
        lambda value: value + ";canon=x",
    ],
)
def test_parameters_that_contradict_the_token_are_438(change: Callable[[str], str]) -> None:
    message = request()
    message.headers.set("Identity", change(message.headers.get("Identity") or ""))
    assert refused(message) == 438


def test_the_parameters_may_come_in_another_order() -> None:
    message = request()
    token = (message.headers.get("Identity") or "").partition(";")[0]
    message.headers.set("Identity", f"{token} ; ppt=fc1;alg=EdDSA ;info=<{passport.node_urn(PUBLIC)}>")
    assert passport.verify(message).node_public_key == PUBLIC


def test_the_body_is_covered_where_fingerprints_are_not_read() -> None:
    """Attributes in another spelling are no `mky`; `bdy` covers them all the same."""
    message = request()
    message.set_body("application/sdp", BODY + b"a=FINGERPRINT:sha-256 EE:EE\r\n")
    assert refused(message) == 438


def test_it_survives_the_wire() -> None:
    message = parse_message(bytes(request()))
    assert isinstance(message, Request)
    assert passport.verify(message).node_public_key == PUBLIC


@pytest.mark.parametrize("name", passport.REFERRING)
def test_what_a_transfer_asks_for_cannot_be_changed_added_or_taken_away(name: str) -> None:
    message = request(signed=False)
    message.headers.add(name, "<sip:carol@mesh>")
    message.headers.add("Identity", passport.sign(message, PUBLIC, 1_800_000_000, KEY.sign))
    assert passport.verify(message).node_public_key == PUBLIC
    message.headers.set(name, "<sip:mallory@mesh>")
    assert refused(message) == 438
    message.headers.remove(name)
    assert refused(message) == 438
    added = request()
    added.headers.add(name, "<sip:mallory@mesh>")
    assert refused(added) == 438
