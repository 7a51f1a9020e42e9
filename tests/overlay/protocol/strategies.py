"""What hypothesis draws for the overlay's tests."""

import ipaddress

from hypothesis import strategies as st

from overlay.protocol.contact import Contact
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.errors import WireError
from overlay.protocol.nodeid import ID_BYTES, NodeId


def is_sendable(packed: bytes) -> bool:
    """Tell whether a compact address is one that the overlay would send to."""
    try:
        Endpoint.unpack(packed + b"\x00\x01")
    except WireError:
        return False
    return True


def _endpoint(packed: bytes, port: int) -> Endpoint:
    return Endpoint(str(ipaddress.ip_address(packed)), port)


addresses = st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16)).filter(
    is_sendable
)
endpoints = st.builds(_endpoint, addresses, st.integers(1, 65535))
node_ids = st.binary(min_size=ID_BYTES, max_size=ID_BYTES).map(NodeId)
contacts = st.builds(Contact, node_ids, endpoints)
