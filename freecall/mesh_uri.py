"""Mesh addresses as people type them, brought into the one form that is hashed, signed and compared."""

import getpass
import re

from .errors import NotAMeshUri

DOMAIN = "mesh"
MAX_USER = 64

_MESH_URI = re.compile(
    rf"(?:sips?:)?([a-z0-9][a-z0-9._+-]{{0,{MAX_USER - 1}}})@((?:[a-z2-7]{{32}}\.)?{DOMAIN})", re.ASCII
)


def canonical(text: str) -> str:
    """Return ``sip:user@mesh`` or ``sip:user@FINGERPRINT.mesh``, lower case, without parameters.

    A bare ``bob`` stands for ``sip:bob@mesh``.

    Raises:
        NotAMeshUri: the text is neither.
    """
    bare = text.strip().strip("<>").partition(";")[0].lower()
    if "@" not in bare:
        bare = f"{bare}@{DOMAIN}"
    match = _MESH_URI.fullmatch(bare)
    if match is None:
        raise NotAMeshUri(text)
    return f"sip:{match[1]}@{match[2]}"


def user_of(uri: str) -> str:
    """Return the user part of a canonical mesh URI."""
    return uri.removeprefix("sip:").partition("@")[0]


def short_uri(uri: str) -> str:
    """Return ``sip:user@mesh`` for either form of a canonical mesh URI: what seals the user's key on the mesh."""
    return f"sip:{user_of(uri)}@{DOMAIN}"


def login_name() -> str:
    """Return the login name as a mesh user name, or ``me`` where it has no usable letter."""
    try:
        login = getpass.getuser()
    except (KeyError, OSError):
        login = ""
    return re.sub(r"[^a-z0-9._-]+", "-", login.lower()).strip("-._")[:MAX_USER] or "me"
