"""A contact: a node's id and where it listens, in 26 bytes (IPv4) or 38 (IPv6)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from .endpoint import V4_BYTES, V6_BYTES, Endpoint
from .errors import WireError
from .nodeid import ID_BYTES, NodeId


@dataclass(frozen=True)
class Contact:
    """A node as somebody told us of it. Has what a `kademlia` routing table asks of its nodes (``id``, ``long_id``)."""

    id: NodeId
    endpoint: Endpoint
    long_id: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "long_id", int.from_bytes(self.id, "big"))

    @property
    def address(self) -> tuple[str, int]:
        """What a UDP socket takes."""
        return self.endpoint.host, self.endpoint.port


def pack_contacts(contacts: Iterable[Contact]) -> tuple[bytes, bytes]:
    """Return the IPv4 and the IPv6 contacts, each joined into one byte string."""
    v4, v6 = bytearray(), bytearray()
    for contact in contacts:
        (v6 if contact.endpoint.is_v6 else v4).extend(contact.id + contact.endpoint.pack())
    return bytes(v4), bytes(v6)


def unpack_contacts(v4: bytes, v6: bytes, *, most: int) -> list[Contact]:
    """Read what `pack_contacts` wrote.

    Raises:
        WireError: a length that does not fit, an endpoint nobody listens at, or more than ``most`` contacts.
    """
    contacts: list[Contact] = []
    for data, size in ((v4, ID_BYTES + V4_BYTES), (v6, ID_BYTES + V6_BYTES)):
        if len(data) % size or len(contacts) + len(data) // size > most:
            raise WireError("contacts")
        for at in range(0, len(data), size):
            node_id = NodeId(data[at : at + ID_BYTES])
            contacts.append(Contact(node_id, Endpoint.unpack(data[at + ID_BYTES : at + size])))
    return contacts
