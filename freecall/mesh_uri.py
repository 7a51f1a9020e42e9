"""Mesh addresses as people type them, brought into the one form that is hashed, signed and compared."""

import base64
import getpass
import re
from functools import lru_cache

from .errors import NotAMeshUri

DOMAIN = "mesh"
MAX_USER = 64
SERVICE_NAMES = ("echo", "time", "busy", "decline", "noanswer")  # every node answers them itself
ANONYMOUS = "sip:anonymous@anonymous.invalid"  # who calls without saying who they are (RFC 3323)
DIAL_CODES = ("*43", "*44", "*60", "*73", "*78", "*79", "*86", "*91", "*93", "*95")  # to its own user only
CODES_WITH_NAME = ("*72", "*90", "*92", "*94")  # and these with a name behind, such as *72carol
SECRET_BYTES = 10
SECRET_LETTERS = 16

_NAME = rf"[a-z0-9][a-z0-9._+-]{{0,{MAX_USER - 1}}}"
_MESH_URI = re.compile(
    rf"(?:sips?:)?(\*[0-9]{{2}}(?:{_NAME})?|{_NAME})@((?:[a-z2-7]{{32}}\.)?{DOMAIN})", re.ASCII
)
_SECRET = re.compile(rf"[a-z2-7]{{{SECRET_LETTERS}}}", re.ASCII)


@lru_cache(maxsize=512)
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


def name_of(uri: str) -> str:
    """Return what to call the user of a canonical mesh URI: the user part, without the secret of an unlisted one."""
    user = user_of(uri)
    name, _, secret = user.rpartition("+")
    return name if name and is_secret(secret) else user


def is_secret(text: str) -> bool:
    """Tell whether ``text`` has the form of the secret in an unlisted address."""
    return _SECRET.fullmatch(text) is not None


def secret_from(drawn: bytes) -> str:
    """Return 10 random bytes as the secret of an unlisted address: 16 letters and digits, base32 in lower case."""
    return base64.b32encode(drawn).decode().lower()


def is_anonymous(uri: str) -> bool:
    """Tell whether a canonical mesh URI, or `ANONYMOUS`, is of somebody who does not say who they are."""
    return user_of(uri) == user_of(ANONYMOUS)


def caller_from(text: str) -> str:
    """Return `canonical`, or `ANONYMOUS` for the name that anonymous callers are shown by.

    Raises:
        NotAMeshUri: the text is no address.
    """
    bare = text.strip().strip("<>").lower().removeprefix("sip:")
    if bare in (user_of(ANONYMOUS), ANONYMOUS.removeprefix("sip:")):
        return ANONYMOUS
    return canonical(text)


def dial_code_of(uri: str) -> tuple[str, str] | None:
    """Return the star code in a canonical mesh URI and the name behind it, which may be empty; None without a code."""
    user = user_of(uri)
    return (user[:3], user[3:]) if user.startswith("*") else None


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
