"""A contact: a node's id and where it listens, in 26 bytes (IPv4) or 38 (IPv6)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from .endpoint import V4_BYTES, V6_BYTES, Endpoint
from .errors import WireError
from .nodeid import ID_BYTES, NodeId

REMEMBERED = 4_096


@dataclass(frozen=True)
class Contact:
    """A node as somebody told us of it. Has what a `kademlia` routing table asks of its nodes (``id``, ``long_id``)."""

    id: NodeId
    endpoint: Endpoint
    long_id: int = field(init=False, repr=False, compare=False)
    address: tuple[str, int] = field(init=False, repr=False, compare=False)
    """What a UDP socket takes."""
    packed: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "long_id", int.from_bytes(self.id, "big"))
        object.__setattr__(self, "address", (self.endpoint.host, self.endpoint.port))
        object.__setattr__(self, "packed", self.id + self.endpoint.pack())


def pack_contacts(contacts: Iterable[Contact]) -> tuple[bytes, bytes]:
    """Return the IPv4 and the IPv6 contacts, each joined into one byte string."""
    v4: list[bytes] = []
    v6: list[bytes] = []
    for contact in contacts:
        (v6 if contact.endpoint.is_v6 else v4).append(contact.packed)
    return b"".join(v4), b"".join(v6)


def unpack_contacts(v4: bytes, v6: bytes, *, most: int) -> list[Contact]:
    """Read what `pack_contacts` wrote.

    Raises:
        WireError: a length that does not fit, an endpoint nobody listens at, or more than ``most`` contacts.
    """
    contacts: list[Contact] = []
    for data, size in ((v4, ID_BYTES + V4_BYTES), (v6, ID_BYTES + V6_BYTES)):
        if len(data) % size or len(contacts) + len(data) // size > most:
            raise WireError("contacts")
        contacts += [_contact(data[at : at + size]) for at in range(0, len(data), size)]
    return contacts


@lru_cache(REMEMBERED)
def _contact(packed: bytes) -> Contact:
    """Read one; the same ones come again and again."""
    return Contact(NodeId(packed[:ID_BYTES]), Endpoint.unpack(packed[ID_BYTES:]))
