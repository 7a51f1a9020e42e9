"""ASCII armour (RFC 9580 section 6.2), as gpg reads it: for what people mail, file and import."""

import base64

_COLUMNS = 64


def armoured(data: bytes, kind: str) -> str:
    """Return ``data`` between its lines; ``kind`` is ``PUBLIC KEY BLOCK`` or ``SIGNATURE``."""
    text = base64.b64encode(data).decode()
    lines = [text[at : at + _COLUMNS] for at in range(0, len(text), _COLUMNS)]
    return "\n".join([f"-----BEGIN PGP {kind}-----", "", *lines, f"-----END PGP {kind}-----", ""])
