"""Proofs: of one id, at one address, for an hour, so many at most."""

from overlay.protocol.contact import Contact
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.nodeid import NodeId
from overlay.protocol.proof import MAX_PROOFS, PROOF_SECONDS, Proofs


def contact(number: int, port: int = 1) -> Contact:
    """Return a contact of some id."""
    return Contact(NodeId(number.to_bytes(20, "big")), Endpoint("192.0.2.1", port))


def test_a_proof_holds_for_the_id_and_the_address_that_gave_it() -> None:
    proofs = Proofs()
    proofs.add(contact(1), 5)
    assert proofs.holds(contact(1), 5 + PROOF_SECONDS - 1)
    assert not proofs.holds(contact(1), 5 + PROOF_SECONDS)
    assert not proofs.holds(contact(2), 5)
    assert not proofs.holds(contact(1, port=2), 5)


def test_so_many_are_remembered_and_no_more() -> None:
    proofs = Proofs()
    for port in range(1, MAX_PROOFS + 101):
        proofs.add(contact(port, port), 0)
    assert len(proofs) == MAX_PROOFS
    assert not proofs.holds(contact(100, 100), 0)
    assert proofs.holds(contact(101, 101), 0)
