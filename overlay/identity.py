"""The node key."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .protocol.nodeid import NodeId, node_id_of

SEED_BYTES = 32


class NodeKey:
    """An Ed25519 key: who this node is. Its id is the hash of its public key."""

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        self.private_key = private_key
        self.public_key: bytes = private_key.public_key().public_bytes_raw()
        self.node_id: NodeId = node_id_of(self.public_key)

    @classmethod
    def generate(cls) -> "NodeKey":
        """Return a new key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> "NodeKey":
        """Return the key of a 32-byte seed.

        Raises:
            ValueError: another length.
        """
        if len(seed) != SEED_BYTES:
            raise ValueError(f"a node key has {SEED_BYTES} bytes, not {len(seed)}")
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def seed(self) -> bytes:
        """The 32 secret bytes."""
        return self.private_key.private_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """Return the Ed25519 signature over ``data``."""
        return self.private_key.sign(data)

    def __repr__(self) -> str:
        return f"NodeKey({self.node_id.hex()[:8]}…)"
