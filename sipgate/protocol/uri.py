"""SIP URIs (RFC 3261 section 19.1). Other schemes are kept as opaque text."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from ipaddress import IPv6Address

from .errors import SipError
from .scanner import REMEMBERED, bad

MAX_URI = 2048
_UNRESERVED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~*'()")
_USER = _UNRESERVED | frozenset("&=+$,;?/%")
_PASSWORD = _UNRESERVED | frozenset("&=+$,%")
_PARAM = _UNRESERVED | frozenset("[]/:&+$%")
_HEADER = _UNRESERVED | frozenset("[]/?:+$%")
_HOST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")
_HEX = frozenset("0123456789abcdefABCDEF")
_IPV6 = _HEX | frozenset(":.")
_SCHEME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.")


@dataclass(frozen=True)
class Uri:
    """A URI. For sip and sips all fields are filled; for other schemes only ``scheme`` and ``opaque``."""

    scheme: str
    user: str | None = None
    password: str | None = None
    host: str = ""
    port: int | None = None
    parameters: Mapping[str, str | None] = field(default_factory=dict)
    headers: str | None = None
    opaque: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Uri":
        """Read a URI.

        Raises:
            SipError: 400 for a malformed URI, 414 for one longer than 2,048 characters.
        """
        return _parse(text)

    @property
    def is_sip(self) -> bool:
        """True for sip and sips."""
        return self.opaque is None

    def __str__(self) -> str:
        if self.opaque is not None:
            return f"{self.scheme}:{self.opaque}"
        password = "" if self.password is None else f":{self.password}"
        user = "" if self.user is None else f"{self.user}{password}@"
        port = "" if self.port is None else f":{self.port}"
        parameters = "".join(f";{n}" if v is None else f";{n}={v}" for n, v in self.parameters.items())
        headers = "" if self.headers is None else f"?{self.headers}"
        return f"{self.scheme}:{user}{self.host}{port}{parameters}{headers}"

    def canonical(self) -> str:
        """Return ``sip:user@host`` in lower case, escapes of unreserved characters resolved, nothing else."""
        if self.opaque is not None:
            return f"{self.scheme}:{self.opaque}".lower()
        user = "" if self.user is None else f"{_unescape(self.user)}@"
        return f"sip:{user}{self.host}".lower()

    def without_parameters(self) -> "Uri":
        """Return the URI without parameters and headers."""
        return replace(self, parameters={}, headers=None)


@lru_cache(maxsize=REMEMBERED)
def _parse(text: str) -> Uri:
    if len(text) > MAX_URI:
        raise SipError(414, "Request-URI Too Long")
    scheme, colon, rest = text.partition(":")
    if not colon or not scheme or not _SCHEME.issuperset(scheme) or not scheme[0].isalpha():
        raise bad("URI")
    lower = scheme.lower()
    if lower not in ("sip", "sips"):
        if not rest.isascii() or not rest.isprintable() or not rest or any(char in ' <>"' for char in rest):
            raise bad("URI")
        return Uri(scheme=lower, opaque=rest)
    return _parse_sip(lower, rest)


def _parse_sip(scheme: str, rest: str) -> Uri:
    user = password = None
    before, at, after = rest.partition("@")
    if at:
        if "@" in after:
            raise bad("URI")
        user, colon, secret = before.partition(":")
        password = secret if colon else None
        if not user or not _USER.issuperset(user) or (password and not _PASSWORD.issuperset(password)):
            raise bad("URI")
        _check_escapes(before)
        rest = after
    rest, question, headers = rest.partition("?")
    hostport, semicolon, parameters = rest.partition(";")
    host, port = parse_host_port(hostport)
    if question:
        if not headers or not all(c in _HEADER or c in "&=" for c in headers):
            raise bad("URI")
        _check_escapes(headers)
    return Uri(
        scheme=scheme,
        user=user,
        password=password,
        host=host,
        port=port,
        parameters=_parse_uri_parameters(parameters) if semicolon else {},
        headers=headers if question else None,
    )


def _parse_uri_parameters(text: str) -> dict[str, str | None]:
    parameters: dict[str, str | None] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        name = name.lower()
        if not name or not _PARAM.issuperset(name) or name in parameters or (equals and not value):
            raise bad("URI parameter")
        if not _PARAM.issuperset(value):
            raise bad("URI parameter")
        _check_escapes(part)
        parameters[name] = value if equals else None
    return parameters


def _check_escapes(text: str) -> None:
    if "%" not in text:
        return
    for index, part in enumerate(text.split("%")):
        if index and (len(part) < 2 or part[0] not in _HEX or part[1] not in _HEX):
            raise bad("URI escape")


def _unescape(user: str) -> str:
    if "%" not in user:
        return user
    first, *parts = user.split("%")
    out = [first]
    for part in parts:
        char = chr(int(part[:2], 16))
        out.append((char if char in _UNRESERVED else f"%{part[:2].upper()}") + part[2:])
    return "".join(out)


def parse_host_port(text: str) -> tuple[str, int | None]:
    """Return host (brackets kept for IPv6) and port of ``host[:port]``.

    Raises:
        SipError: malformed.
    """
    if text.startswith("["):
        end = text.find("]")
        host, rest = text[: end + 1], text[end + 1 :]
        if end < 0 or not _is_ipv6(host[1:-1]):
            raise bad("host")
    else:
        host, colon, port = text.partition(":")
        rest = colon + port
        if not host or not _HOST.issuperset(host):
            raise bad("host")
    if not rest:
        return host, None
    if rest[0] != ":":
        raise bad("port")
    return host, parse_port(rest[1:])


def _is_ipv6(text: str) -> bool:
    """Tell whether ``text`` is an IPv6 address, or one with the extra colon that RFC 3261 allowed (RFC 5118 4.10)."""
    if "." in text:
        text = text.replace(":::", "::", 1)
    if len(text) > 45 or not _IPV6.issuperset(text):  # neither zones nor digits of other scripts
        return False
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def parse_port(text: str) -> int:
    """Return a port number.

    Raises:
        SipError: not 1 to 5 digits, or above 65535.
    """
    if not 0 < len(text) <= 5 or not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise bad("port")
    return int(text)
