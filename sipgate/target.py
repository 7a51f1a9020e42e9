"""What a phone dialled, as a canonical mesh URI."""

from __future__ import annotations

import re
from collections.abc import Collection

from .ports import Refusal
from .protocol.errors import SipError
from .protocol.privacy import HOST as NO_HOST
from .protocol.uri import Uri

MAX_USER = 64
NOBODY_KNOWS = "Who called anonymously cannot be called back: nobody here knows who it was"
_USER = re.compile(r"\*[0-9]{2}(?:[a-z0-9][a-z0-9._+-]*)?|[a-z0-9][a-z0-9._+-]*", re.ASCII)
_FINGERPRINT = re.compile(r"[a-z2-7]{32}", re.ASCII)


def mesh_uri(uri: Uri, domain: str, own_hosts: Collection[str]) -> str:
    """Return `sip:bob@mesh` or `sip:bob@<fingerprint>.mesh` for any form that means it.

    `bob@mesh`, `bob@<fingerprint>.mesh`, bare `sip:bob` (which the grammar reads as a host), and `bob@` one
    of `own_hosts`, as phones dial that know only the address of their server. `own_hosts` are lower-case,
    IPv6 in brackets. Raise `Refusal`: 416 for another scheme, 404 for another domain or an impossible name.
    """
    if not uri.is_sip or uri.scheme != "sip":
        raise Refusal(416, f"This node calls addresses like sip:bob@{domain}")
    user, _, host = uri.canonical().partition(":")[2].rpartition("@")
    if not user:
        user, host = host, domain
    if host in own_hosts:
        host = domain
    if host == NO_HOST:
        raise Refusal(404, NOBODY_KNOWS)
    if not is_mesh_host(host, domain):
        raise Refusal(404, f"Only names at {domain} can be called, such as bob@{domain}")
    if len(user) > MAX_USER or not _USER.fullmatch(user):
        raise Refusal(404, f"There can be no such name at {domain}")
    return f"sip:{user}@{host}"


def parse_target(text: str) -> Uri:
    """Return what a person typed as a URI: `bob`, `bob@mesh` or a whole URI; raise `Refusal` 404."""
    try:
        return Uri.parse(text if ":" in text else f"sip:{text}")
    except SipError:
        raise Refusal(404, "This is not an address that can be called") from None


def is_dial_code(uri: str) -> bool:
    """Tell whether a canonical mesh URI is a star code, which only the node's own user may dial."""
    return uri.startswith("sip:*")


def is_mesh_host(host: str, domain: str) -> bool:
    """Tell whether a lower-case host is the mesh itself or a fingerprint in it."""
    label, dot, rest = host.partition(".")
    return host == domain or (bool(dot) and rest == domain and _FINGERPRINT.fullmatch(label) is not None)
