"""The signed identity of a request between nodes: a PASSporT (RFC 8225) in the Identity header (RFC 8224).

Our profile ``fc1``: EdDSA by the node key; the key travels in ``x5u`` as a URN; beside ``orig``, ``dest``, ``iat`` and
``mky`` the token covers Call-ID (``cid``), CSeq (``csq``) and the body (``bdy``), so that it fits one request only.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .errors import SipError
from .message import Request
from .scanner import REMEMBERED, WSP

PPT = "fc1"
URN = "urn:freecall:node:"
MAX_TOKEN = 8192
REFERRING = ("Refer-To", "Referred-By", "Replaces")
_FINGERPRINT = re.compile(rb"^a=fingerprint:(\S+) ([0-9A-Fa-f:]+)[ \t]*\r?$", re.MULTILINE)


@dataclass(frozen=True)
class Passport:
    """A checked token: who signed, for whom, when (Unix seconds, by the sender's clock)."""

    node_public_key: bytes
    orig: str
    dest: str
    issued_at: int


def invalid(why: str) -> SipError:
    """Return the error for an Identity that does not hold (RFC 8224 section 6.2.2)."""
    return SipError(438, f"Invalid Identity Header: {why}")


@lru_cache(maxsize=REMEMBERED)
def node_urn(node_public_key: bytes) -> str:
    """Return the URN of a node key (32 bytes)."""
    return URN + base64.b32encode(node_public_key).decode().rstrip("=").lower()


def key_of_urn(urn: str) -> bytes:
    """Return the node key in a URN.

    Raises:
        SipError: malformed.
    """
    text = urn.removeprefix(URN)
    if text == urn or len(text) != 52 or not text.isascii():
        raise invalid("no node key")
    try:
        key = base64.b32decode(text.upper() + "====")
    except binascii.Error as error:
        raise invalid("no node key") from error
    if node_urn(key) != urn:  # upper case, or bits beyond the key: one key has one name
        raise invalid("no node key")
    return key


def media_keys(body: bytes) -> list[dict[str, str]]:
    """Return the ``mky`` claim: each fingerprint in the session description, sorted, without repetition."""
    found = {
        (alg.decode("ascii", "replace").lower(), dig.decode().upper())
        for alg, dig in _FINGERPRINT.findall(body)
    }
    return [{"alg": alg, "dig": dig} for alg, dig in sorted(found)]


def claims(request: Request, issued_at: int) -> dict[str, Any]:
    """Return the token's payload for ``request``.

    Raises:
        SipError: a header that the token covers is missing or malformed.
    """
    payload: dict[str, Any] = {
        "bdy": _b64(hashlib.sha256(request.body).digest()),
        "cid": request.call_id,
        "csq": str(request.cseq),
        "dest": {"uri": [request.to.uri.canonical()]},
        "iat": issued_at,
        "orig": {"uri": request.from_.uri.canonical()},
    }
    asked = [f"{name}: {value}" for name in REFERRING for value in request.headers.get_all(name)]
    if asked:
        payload["ref"] = _b64(hashlib.sha256("\n".join(asked).encode("utf-8", "surrogateescape")).digest())
    keys = media_keys(request.body)
    if keys:
        payload["mky"] = keys
    return payload


def sign(request: Request, node_public_key: bytes, issued_at: int, signer: Callable[[bytes], bytes]) -> str:
    """Return the Identity header's value for ``request``; ``signer`` makes an Ed25519 signature."""
    urn = node_urn(node_public_key)
    signed = f"{_header(urn)}.{_b64(_json(claims(request, issued_at)))}"
    return f"{signed}.{_b64(signer(signed.encode()))};info=<{urn}>;alg=EdDSA;ppt={PPT}"


def verify(request: Request) -> Passport:
    """Return who signed ``request``.

    Raises:
        SipError: 428 without an Identity header, 438 when it does not hold.
    """
    value = request.headers.get("Identity")
    if value is None:
        raise SipError(428, "Use Identity Header")
    token, _, parameters = value.partition(";")
    token = token.rstrip(WSP)
    pieces = token.split(".")
    if len(token) > MAX_TOKEN or len(pieces) != 3 or request.headers.count("Identity") != 1:
        raise invalid("malformed")
    urn, key, public_key = _signer(pieces[0])
    payload = _object(pieces[1])
    if {part.strip(WSP) for part in parameters.split(";")} != {f"info=<{urn}>", "alg=EdDSA", f"ppt={PPT}"}:
        raise invalid("its parameters contradict the token")
    try:
        signature = _unb64(pieces[2])
        public_key.verify(signature, f"{pieces[0]}.{pieces[1]}".encode())
    except (InvalidSignature, ValueError) as error:
        raise invalid("wrong signature") from error
    issued_at = payload.get("iat")
    if not isinstance(issued_at, int) or isinstance(issued_at, bool) or not 0 <= issued_at < 2**53:
        raise invalid("malformed")
    expected = claims(request, issued_at)
    wrong = sorted(
        name for name in expected.keys() | payload.keys() if expected.get(name) != payload.get(name)
    )
    if wrong:
        raise invalid(f"{wrong[0]} does not fit the request")
    return Passport(key, expected["orig"]["uri"], expected["dest"]["uri"][0], issued_at)


@lru_cache(maxsize=REMEMBERED)
def _header(urn: str) -> str:
    return _b64(_json({"alg": "EdDSA", "ppt": PPT, "typ": "passport", "x5u": urn}))


@lru_cache(maxsize=REMEMBERED)
def _signer(header: str) -> tuple[str, bytes, Ed25519PublicKey]:
    """Return what a token's header says of its signer: the URN, the key in it, and the key to check with."""
    fields = _object(header)
    if (fields.get("alg"), fields.get("ppt"), fields.get("typ")) != ("EdDSA", PPT, "passport"):
        raise invalid("another profile")
    urn = fields.get("x5u")
    key = key_of_urn(urn if isinstance(urn, str) else "")
    try:
        return str(urn), key, Ed25519PublicKey.from_public_bytes(key)
    except ValueError as error:
        raise invalid("wrong signature") from error


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def _json(value: dict[str, Any]) -> bytes:
    return _encode(value).encode("utf-8", "surrogateescape")


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unb64(text: str) -> bytes:
    """Decode base64url; ValueError for any other spelling than `_b64` writes."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _b64(data) != text:
        raise ValueError("not base64url")
    return data


def _object(piece: str) -> dict[str, Any]:
    try:
        value = json.loads(_unb64(piece).decode())
    except (ValueError, RecursionError) as error:
        raise invalid("malformed") from error
    if not isinstance(value, dict):
        raise invalid("malformed")
    return value
