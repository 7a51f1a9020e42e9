"""The node key."""

import pytest

from overlay.identity import NodeKey
from overlay.protocol.nodeid import node_id_of


def test_a_seed_gives_the_same_key_again() -> None:
    key = NodeKey.generate()
    again = NodeKey.from_seed(key.seed)
    assert (again.public_key, again.node_id) == (key.public_key, node_id_of(key.public_key))
    key.private_key.public_key().verify(again.sign(b"data"), b"data")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_seed_has_32_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        NodeKey.from_seed(bytes(size))


def test_the_secret_is_not_printed() -> None:
    key = NodeKey.from_seed(bytes(range(32)))
    assert key.seed.hex() not in repr(key)
    assert str(key.seed) not in repr(key)
