"""ASCII armour (RFC 9580 section 6.2), as gpg reads it: for what people mail, file and import."""

import base64

_COLUMNS = 64
_CRC_INITIAL, _CRC_POLYNOMIAL = 0xB704CE, 0x1864CFB


def armoured(data: bytes, kind: str) -> str:
    """Return ``data`` between its lines; ``kind`` is ``PUBLIC KEY BLOCK`` or ``SIGNATURE``.

    With the checksum, which is optional by now: gpg 2.2 does not find the end of some texts without it.
    """
    text = base64.b64encode(data).decode()
    lines = [text[at : at + _COLUMNS] for at in range(0, len(text), _COLUMNS)]
    lines.append("=" + base64.b64encode(_crc24(data).to_bytes(3, "big")).decode())
    return "\n".join([f"-----BEGIN PGP {kind}-----", "", *lines, f"-----END PGP {kind}-----", ""])


def _crc24(data: bytes) -> int:
    crc = _CRC_INITIAL
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= _CRC_POLYNOMIAL
    return crc
