"""The bytes under a signature: a purpose, then fields, each with its length before it.

The purpose comes first so that a signature made for one end can never be shown for another.
"""


def statement(purpose: bytes, *fields: bytes) -> bytes:
    """Return the length-prefixed concatenation of ``purpose`` and ``fields`` (32-bit big-endian lengths)."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in (purpose, *fields))
