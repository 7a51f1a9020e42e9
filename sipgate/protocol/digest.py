"""Digest authentication for SIP (RFC 7616, RFC 8760): nonces, challenges, checking. qop=auth only."""

import base64
import hashlib
import hmac
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum, auto

from .scanner import WSP, bad, is_token, quote, split, unquote

HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
NONCE_SECONDS = 300.0
MAX_NONCES = 10_000
MAX_PARAMETERS = 24
HEX = frozenset("0123456789abcdefABCDEF")


class NonceState(Enum):
    """What a nonce is worth."""

    OK = auto()
    STALE = auto()
    REPLAYED = auto()


class Nonces:
    """Gives out nonces that prove themselves (time and HMAC) and remembers the counts used with each.

    When a nonce is forgotten because there are too many, all as old as it that were not used yet become stale:
    a forgotten count can never be replayed.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._serial = 0
        self._used: OrderedDict[str, int] = OrderedDict()
        self._forgotten = -1  # milliseconds: no new nonce up to that time is accepted

    def issue(self, now: float) -> str:
        """Return a nonce for one challenge at ``now`` (seconds)."""
        self._serial += 1
        text = f"{int(now * 1000):012x}{self._serial & 0xFFFFFF:06x}"
        return text + self._mac(text)

    def check(self, nonce: str, count: int, now: float) -> NonceState:
        """Accept a count once: it must be higher than all used before with this nonce."""
        stamp, mac = nonce[:18], nonce[18:]
        if not hmac.compare_digest(mac.encode("utf-8", "surrogateescape"), self._mac(stamp).encode()):
            return NonceState.STALE
        issued = _milliseconds(nonce)
        if not -1.0 <= now - issued / 1000 <= NONCE_SECONDS:
            return NonceState.STALE
        last = self._used.get(nonce)
        if last is None and issued <= self._forgotten:
            return NonceState.STALE
        if count <= (last or 0):
            return NonceState.REPLAYED
        self._used[nonce] = count
        self._used.move_to_end(nonce)
        if len(self._used) > MAX_NONCES:
            oldest, _ = self._used.popitem(last=False)
            self._forgotten = max(self._forgotten, _milliseconds(oldest))
        return NonceState.OK

    def _mac(self, text: str) -> str:
        mac = hmac.digest(self._secret, text.encode("utf-8", "surrogateescape"), "sha256")[:15]
        return base64.urlsafe_b64encode(mac).decode()


def _milliseconds(nonce: str) -> int:
    return int(nonce[:12], 16)


@dataclass(frozen=True)
class Credentials:
    """What a client sends in Authorization or Proxy-Authorization."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str
    cnonce: str
    count: int

    @classmethod
    def parse(cls, value: str) -> "Credentials":
        """Read an Authorization value.

        Raises:
            SipError: not Digest, malformed, or without qop=auth.
        """
        fields = parse_fields(value)
        try:
            count_text = fields["nc"]
            if len(count_text) != 8 or not HEX.issuperset(count_text) or fields["qop"].lower() != "auth":
                raise bad("credentials")
            return cls(
                username=fields["username"],
                realm=fields["realm"],
                nonce=fields["nonce"],
                uri=fields["uri"],
                response=fields["response"].lower(),
                algorithm=fields.get("algorithm", "MD5").upper(),
                cnonce=fields["cnonce"],
                count=int(count_text, 16),
            )
        except (KeyError, ValueError) as error:
            raise bad("credentials") from error


def parse_fields(value: str) -> dict[str, str]:
    """Return the fields of a Digest challenge or credentials, unquoted, names in lower case.

    Raises:
        SipError: malformed.
    """
    scheme, _, rest = value.strip(WSP).partition(" ")
    if scheme.lower() != "digest":
        raise bad("authentication scheme")
    parts = split(rest, ",")
    if len(parts) > MAX_PARAMETERS:
        raise bad("credentials")
    fields: dict[str, str] = {}
    for part in parts:
        name, equals, text = part.partition("=")
        name = name.rstrip(WSP).lower()
        if not equals or not is_token(name) or name in fields:
            raise bad("credentials")
        fields[name] = unquote(text.lstrip(WSP))
    return fields


def challenge(realm: str, nonce: str, algorithm: str, *, stale: bool = False) -> str:
    """Return the value of WWW-Authenticate or Proxy-Authenticate."""
    tail = ", stale=true" if stale else ""
    return f'Digest realm={quote(realm)}, nonce="{nonce}", algorithm={algorithm}, qop="auth"{tail}'


def response_value(credentials: Credentials, method: str, secret: str) -> str:
    """Return the response that the right secret gives (RFC 7616 3.4.1).

    Raises:
        SipError: an unknown algorithm.
    """
    make = HASHES.get(credentials.algorithm)
    if make is None:
        raise bad("digest algorithm")

    def hashed(*parts: str) -> str:
        return make(":".join(parts).encode("utf-8", "surrogateescape")).hexdigest()

    ha1 = hashed(credentials.username, credentials.realm, secret)
    ha2 = hashed(method, credentials.uri)
    return hashed(ha1, credentials.nonce, f"{credentials.count:08x}", credentials.cnonce, "auth", ha2)


def verify(credentials: Credentials, method: str, secret: str) -> bool:
    """Tell whether the credentials were made with ``secret`` for this method."""
    expected = response_value(credentials, method, secret)
    return hmac.compare_digest(expected.encode(), credentials.response.encode("utf-8", "surrogateescape"))
