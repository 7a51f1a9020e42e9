"""Keys on the mesh: small ones in one value, large ones in parts; what a stranger lists is bounded."""

import hashlib
import os
from dataclasses import dataclass, field
from typing import cast

import pytest

from freecall.key_blobs import MAX_PARTS, PART_BYTES, fetch_key, publish_key
from freecall.meshes import Directory
from overlay.errors import WireError
from overlay.protocol.record import MAX_VALUE_BYTES
from overlay.protocol.sealed_blob import seal_blob

BOB = "sip:bob@mesh"


@dataclass
class Values:
    """The blobs of a mesh."""

    kept: dict[bytes, bytes] = field(default_factory=dict)
    asked: int = 0

    async def publish_blob(self, data: bytes) -> bytes:
        """Keep one."""
        assert 0 < len(data) <= MAX_VALUE_BYTES
        key = hashlib.sha1(data, usedforsecurity=False).digest()
        self.kept[key] = data
        return key

    async def fetch_blob(self, key: bytes) -> bytes | None:
        """Return one."""
        self.asked += 1
        return self.kept.get(key)


def directory(values: Values) -> Directory:
    return cast("Directory", values)


@pytest.mark.parametrize("size", [1, PART_BYTES, PART_BYTES + 1, 3000, MAX_PARTS * PART_BYTES])
async def test_a_key_of_any_size_is_found_again(size: int) -> None:
    values, packed = Values(), b"\x78" + os.urandom(size - 1)
    blob = await publish_key(directory(values), BOB, packed)
    assert await fetch_key(directory(values), BOB, blob) == packed
    parts = -(-size // PART_BYTES)
    assert len(values.kept) == (1 if parts == 1 else parts + 1)


async def test_the_same_key_takes_the_same_places_at_each_start() -> None:
    values, packed = Values(), os.urandom(3000)
    first = await publish_key(directory(values), BOB, packed)
    count = len(values.kept)
    assert await publish_key(directory(values), BOB, packed) == first
    assert len(values.kept) == count


async def test_a_key_larger_than_any_is_not_published() -> None:
    with pytest.raises(ValueError, match="more than 9 values"):
        await publish_key(directory(Values()), BOB, bytes(MAX_PARTS * PART_BYTES + 1))


async def test_a_missing_part_is_a_missing_key() -> None:
    values = Values()
    blob = await publish_key(directory(values), BOB, os.urandom(3000))
    gone = next(key for key in values.kept if key != blob)
    del values.kept[gone]
    assert await fetch_key(directory(values), BOB, blob) is None
    assert await fetch_key(directory(values), BOB, b"x" * 20) is None


@pytest.mark.parametrize("ids", [0, 1, MAX_PARTS + 1, 40])
async def test_a_list_that_makes_no_sense_is_refused_before_anything_is_asked_for(ids: int) -> None:
    values = Values()
    blob = await values.publish_blob(seal_blob(BOB, b"\0" + os.urandom(20 * ids)))
    with pytest.raises(WireError):
        await fetch_key(directory(values), BOB, blob)
    assert values.asked == 1


async def test_a_list_with_a_rest_or_with_itself_or_for_another_name_is_refused() -> None:
    values = Values()
    for data, name in ((b"\0" + os.urandom(41), BOB), (b"\x78key", "sip:eve@mesh")):
        blob = await values.publish_blob(seal_blob(name, data))
        with pytest.raises(WireError):
            await fetch_key(directory(values), BOB, blob)
    inner = await values.publish_blob(seal_blob(BOB, b"\0" + os.urandom(40)))
    outer = await values.publish_blob(seal_blob(BOB, b"\0" + inner + inner))
    found = await fetch_key(directory(values), BOB, outer)
    assert found is not None
    assert found.startswith(b"\0"), "lists of lists are not followed: this is no key"
