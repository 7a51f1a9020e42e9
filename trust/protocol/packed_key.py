"""Public keys as they lie on the mesh: deflated (RFC 1950), so that the encryption subkey fits into one value too.

A key says the same names and fingerprints in each of its signatures. The first byte tells both forms apart: that of an
OpenPGP packet has its highest bit set, that of a deflated key has not.
"""

import zlib

from .errors import BadKey
from .packets import MAX_KEY_BYTES

_PACKET = 0x80


def pack(key: bytes) -> bytes:
    """Return a binary public key deflated."""
    return zlib.compress(key, 9)


def unpack(packed: bytes) -> bytes:
    """Return the binary public key; one that is not deflated comes back as it is.

    Raises:
        BadKey: malformed, or larger than any key that we take.
    """
    if not packed or packed[0] & _PACKET:
        return packed
    inflating = zlib.decompressobj()
    try:
        key = inflating.decompress(packed, MAX_KEY_BYTES)
    except zlib.error:
        raise BadKey("it is malformed") from None
    if not inflating.eof or inflating.unused_data:
        raise BadKey(f"it is malformed, or larger than {MAX_KEY_BYTES} bytes")
    return key
