"""Whether others reach us: what they see, who came unasked, and what a liar can do about it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overlay.protocol.endpoint import Endpoint
from overlay.protocol.reachability import (
    FRUITLESS_ROUNDS,
    MAX_DIALERS,
    MAX_OBSERVERS,
    PROVING_NETWORKS,
    PROVING_SECONDS,
    REALMS,
    Reachability,
    Realm,
    Standing,
    realm_of,
)

OWN = ("45.0.9.9", "192.168.1.7")
MINE, NATTED = Endpoint("45.0.9.9", 7350), Endpoint("45.0.8.8", 40_000)
AT_HOME, BEHIND = Endpoint("192.168.1.7", 7350), Endpoint("10.9.9.9", 40_000)


def seen(*endpoints: Endpoint, dialled_by: int = 0, in_vain: int = 0) -> Reachability:
    """Return a judge told by one observer after the other, of different networks; then dial-backs and missing ones."""
    judge = Reachability()
    for number, endpoint in enumerate(endpoints):
        judge.observe(f"45.1.{number}.1", endpoint)
    for _ in range(in_vain):
        judge.asked_in_vain()
    for number in range(dialled_by):
        judge.reached_by(f"45.2.{number}.1", 0)
    return judge


@pytest.mark.parametrize(
    ("judge", "standing"),
    [
        (seen(), Standing.UNKNOWN),
        (seen(dialled_by=2), Standing.UNKNOWN),
        (seen(AT_HOME), Standing.OPEN),
        (seen(AT_HOME, in_vain=FRUITLESS_ROUNDS), Standing.OPEN),
        (seen(MINE), Standing.OPEN),
        (seen(MINE, in_vain=FRUITLESS_ROUNDS - 1), Standing.OPEN),
        (seen(MINE, in_vain=FRUITLESS_ROUNDS), Standing.CLOSED),
        (seen(MINE, in_vain=FRUITLESS_ROUNDS, dialled_by=1), Standing.OPEN),
        (seen(MINE, dialled_by=2), Standing.PROVEN),
        (seen(NATTED), Standing.CLOSED),
        (seen(NATTED, dialled_by=1), Standing.CLOSED),
        (seen(NATTED, dialled_by=2), Standing.PROVEN),
        (seen(NATTED, NATTED, MINE), Standing.CLOSED),
        (seen(NATTED, MINE), Standing.OPEN),
        (seen(NATTED, BEHIND), Standing.UNKNOWN),
        (seen(BEHIND), Standing.CLOSED),
        (seen(Endpoint("127.0.0.1", 5)), Standing.OPEN),
    ],
)
def test_each_cell_of_the_table(judge: Reachability, standing: Standing) -> None:
    assert judge.standing(OWN) is standing


@given(
    st.sampled_from([MINE, NATTED]),
    st.integers(2, 5),
    st.lists(
        st.one_of(st.none(), st.sampled_from([MINE, NATTED, BEHIND, Endpoint("45.0.9.8", 1)])), max_size=50
    ),
    st.booleans(),
)
def test_one_liar_changes_nothing_once_two_networks_agree(
    truth: Endpoint, honest: int, sayings: list[Endpoint | None], is_proven: bool
) -> None:
    judge = seen(*[truth] * honest, dialled_by=2 * is_proven)
    standing = judge.standing(OWN)
    for number, lie in enumerate(sayings):
        judge.observe("45.9.9.9" if lie else f"45.1.{number % honest}.1", lie or truth)
        assert judge.standing(OWN) is standing
        assert judge.seen_as(OWN) == truth


def test_many_voices_of_one_network_are_one() -> None:
    judge = seen(NATTED, NATTED)
    for number in range(250):
        judge.observe(f"45.9.9.{number}", Endpoint("45.0.7.7", 7))
    assert judge.seen_as(OWN) == NATTED
    for number in range(250):
        judge.reached_by(f"45.9.9.{number}", 0)
    assert judge.standing(OWN) is Standing.CLOSED


def test_observers_who_differ_are_not_believed() -> None:
    differing = [Endpoint(f"45.0.8.{number}", 1) for number in range(1, 5)]
    assert seen(*differing).seen_as(OWN) is None
    assert seen(*differing, NATTED, NATTED).seen_as(OWN) == NATTED


def test_behind_a_symmetric_nat_the_host_counts_and_the_newest_port() -> None:
    ports = [Endpoint("45.0.8.8", 40_000 + number) for number in range(4)]
    assert seen(*ports).seen_as(OWN) == ports[-1]


def test_two_who_dial_within_an_hour_prove_it() -> None:
    for second, standing in ((PROVING_SECONDS - 1, Standing.PROVEN), (PROVING_SECONDS, Standing.CLOSED)):
        judge = seen(NATTED, dialled_by=1)
        judge.reached_by("45.9.9.9", second)
        assert judge.standing(OWN) is standing


@pytest.mark.parametrize(("place", "standing"), [(NATTED, Standing.CLOSED), (MINE, Standing.CLOSED)])
def test_a_proof_holds_until_asking_was_in_vain_three_times(place: Endpoint, standing: Standing) -> None:
    judge = seen(place, dialled_by=PROVING_NETWORKS, in_vain=0)
    for _ in range(FRUITLESS_ROUNDS):
        assert judge.standing(OWN) is Standing.PROVEN
        judge.asked_in_vain()
    assert judge.standing(OWN) is standing


def test_what_was_proven_of_another_address_proves_nothing() -> None:
    elsewhere = Endpoint("45.0.7.7", 40_000)
    judge = seen(NATTED, NATTED, NATTED, dialled_by=PROVING_NETWORKS)
    judge.observe("45.1.0.1", elsewhere)
    assert judge.standing(OWN) is Standing.PROVEN
    judge.observe("45.1.1.1", elsewhere)
    assert judge.seen_as(OWN) == elsewhere
    assert judge.standing(OWN) is Standing.CLOSED


def test_what_is_known_already_is_no_news() -> None:
    judge = Reachability()
    assert judge.observe("45.1.1.1", MINE)
    assert not judge.observe("45.1.1.2", MINE)
    assert judge.observe("45.1.1.2", NATTED)


def test_who_moves_begins_anew() -> None:
    judge = seen(NATTED, dialled_by=2, in_vain=1)
    judge.moved()
    assert judge.standing(OWN) is Standing.UNKNOWN
    judge.observe("45.1.1.1", MINE)
    assert judge.standing(OWN) is Standing.OPEN


@given(st.lists(st.tuples(st.integers(0, 2**16 - 1), st.booleans()), max_size=200))
def test_what_is_remembered_is_bounded(events: list[tuple[int, bool]]) -> None:
    judge = Reachability()
    for number, is_dial in events:
        host = f"45.{number % 256}.{number // 256}.1"
        if is_dial:
            judge.reached_by(host, 0)
        else:
            judge.observe(host, NATTED)
        assert judge.standing(OWN) in Standing
    assert len(judge._observed) <= MAX_OBSERVERS
    assert len(judge._dialers) <= MAX_DIALERS


@pytest.mark.parametrize(
    ("host", "realm"),
    [
        ("45.0.0.1", Realm(is_v6=False, is_global=True)),
        ("2a00::1", Realm(is_v6=True, is_global=True)),
        ("10.0.0.1", Realm(is_v6=False, is_global=False)),
        ("127.0.0.1", Realm(is_v6=False, is_global=False)),
        ("100.64.0.1", Realm(is_v6=False, is_global=False)),
        ("fd00::1", Realm(is_v6=True, is_global=False)),
    ],
)
def test_the_world_and_what_is_nearer_are_different_realms_and_so_are_the_families(
    host: str, realm: Realm
) -> None:
    assert realm_of(Endpoint(host, 1)) == realm
    assert realm in REALMS
