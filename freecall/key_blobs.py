"""Public keys on the mesh: in one sealed value if they fit, else in parts, named by a list that is sealed as well.

Most keys made for calls fit. RSA keys, which many people have, take two to four parts.
"""

import asyncio

from overlay.errors import WireError
from overlay.protocol.record import MAX_VALUE_BYTES
from overlay.protocol.sealed_blob import OVERHEAD_BYTES, seal_blob, unseal_blob

from .meshes import Directory

PART_BYTES = MAX_VALUE_BYTES - OVERHEAD_BYTES
MAX_PARTS = 9
"""Enough for the largest key that is taken from strangers (8,192 bytes, docs/protocol/trust.md)."""

ID_BYTES = 20
_LIST = b"\x00"
"""No packed key begins so: OpenPGP packets have the highest bit set, and zlib's first byte is 0x78."""


async def publish_key(overlay: Directory, uri: str, packed: bytes) -> bytes:
    """Publish a packed key for who knows the canonical ``uri``; return the name of its blob.

    Raises:
        ValueError: it takes more than nine parts.
    """
    parts = [packed[at : at + PART_BYTES] for at in range(0, len(packed), PART_BYTES)]
    if len(parts) > MAX_PARTS:
        raise ValueError(f"a key of {len(packed)} bytes takes more than {MAX_PARTS} values")
    ids = [await overlay.publish_blob(seal_blob(uri, part)) for part in parts]
    if len(ids) == 1:
        return ids[0]
    return await overlay.publish_blob(seal_blob(uri, _LIST + b"".join(ids)))


async def fetch_key(overlay: Directory, uri: str, blob: bytes) -> bytes | None:
    """Return the packed key that was published under ``blob`` for ``uri``; None when it, or a part, is not there.

    Raises:
        WireError: what lies there is sealed for another name, or is no list of parts.
    """
    sealed = await overlay.fetch_blob(blob)
    if sealed is None:
        return None
    found = unseal_blob(uri, sealed)
    if not found.startswith(_LIST):
        return found
    ids = [found[at : at + ID_BYTES] for at in range(1, len(found), ID_BYTES)]
    if not 1 < len(ids) <= MAX_PARTS or len(found) != 1 + len(ids) * ID_BYTES:
        raise WireError("a list of parts that makes no sense")
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(overlay.fetch_blob(each)) for each in ids]
    parts = [task.result() for task in tasks]
    if any(part is None for part in parts):
        return None
    return b"".join(unseal_blob(uri, part) for part in parts if part is not None)
