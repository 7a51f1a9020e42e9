"""Node identifiers and the XOR metric (Kademlia paper, section 2.1)."""

import hashlib
from typing import NewType

NodeId = NewType("NodeId", bytes)

ID_BYTES = 20
PUBLIC_KEY_BYTES = 32


def node_id_of(public_key: bytes) -> NodeId:
    """Return the id of the node with that Ed25519 public key: nobody chooses a place in the table freely."""
    return NodeId(hashlib.sha256(public_key).digest()[:ID_BYTES])


def distance(a: bytes, b: bytes) -> int:
    """Return ``a XOR b`` read as a big-endian integer."""
    return int.from_bytes(a, "big") ^ int.from_bytes(b, "big")
