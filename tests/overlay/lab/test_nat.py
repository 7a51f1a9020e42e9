"""The four kinds of translators: who gets through."""

import pytest

from overlay.lab.nat import Nat, NatKind

INNER = ("10.0.0.1", 7350)
FRIEND, SAME_HOST, STRANGER = ("45.0.0.1", 1), ("45.0.0.1", 2), ("45.0.1.1", 1)

LETS_IN = {
    NatKind.FULL_CONE: {FRIEND, SAME_HOST, STRANGER},
    NatKind.ADDRESS_RESTRICTED: {FRIEND, SAME_HOST},
    NatKind.PORT_RESTRICTED: {FRIEND},
    NatKind.SYMMETRIC: {FRIEND},
}


@pytest.mark.parametrize("kind", NatKind)
def test_each_kind_lets_in_whom_its_name_says(kind: NatKind) -> None:
    nat = Nat(kind, "45.1.1.1")
    host, port = nat.outgoing(INNER, FRIEND, 0.0)
    assert host == "45.1.1.1"
    let_in = {who for who in (FRIEND, SAME_HOST, STRANGER) if nat.incoming(port, who, 1.0) == INNER}
    assert let_in == LETS_IN[kind]


@pytest.mark.parametrize("kind", NatKind)
def test_only_a_symmetric_one_shows_each_destination_another_port(kind: NatKind) -> None:
    nat = Nat(kind, "45.1.1.1")
    same = nat.outgoing(INNER, FRIEND, 0.0) == nat.outgoing(INNER, STRANGER, 0.0)
    assert same == (kind is not NatKind.SYMMETRIC)


def test_a_mapping_ends_when_nothing_goes_out() -> None:
    nat = Nat(NatKind.FULL_CONE, "45.1.1.1", mapping_seconds=60)
    _, port = nat.outgoing(INNER, FRIEND, 0.0)
    assert nat.incoming(port, FRIEND, 60.0) == INNER
    assert nat.incoming(port, FRIEND, 61.0) is None
    assert nat.outgoing(INNER, FRIEND, 62.0)[1] != port
