"""Which node has proved its id at which address: once is enough for an hour."""

from collections import OrderedDict

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .contact import Contact
from .nodeid import NodeId
from .wire import Pong, pong_statement

PROOF_SECONDS = 3600.0
MAX_PROOFS = 4096


class Proofs:
    """The proofs seen lately; the oldest are forgotten when there are too many."""

    def __init__(self) -> None:
        self._proofs: OrderedDict[tuple[str, int], tuple[NodeId, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._proofs)

    def add(self, contact: Contact, now: float) -> None:
        """Take in that a contact has proved its id at ``now``."""
        self._proofs[contact.address] = (contact.id, now)
        self._proofs.move_to_end(contact.address)
        if len(self._proofs) > MAX_PROOFS:
            self._proofs.popitem(last=False)

    def holds(self, contact: Contact, now: float) -> bool:
        """Tell whether the contact has proved that id, at that address, not long ago."""
        node_id, since = self._proofs.get(contact.address, (b"", 0.0))
        return node_id == contact.id and now - since < PROOF_SECONDS


def is_authentic(pong: Pong, transaction_id: bytes, own_id: NodeId) -> bool:
    """Tell whether a pong is signed by the key that it claims, or claims none."""
    if not pong.public_key:
        return True
    try:
        key = Ed25519PublicKey.from_public_bytes(pong.public_key)
        key.verify(pong.signature, pong_statement(transaction_id, own_id))
    except (InvalidSignature, ValueError):
        return False
    return True
