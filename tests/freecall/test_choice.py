import dataclasses

import pytest

from freecall.adapters import OneUser, PeerKeys, choose
from freecall.evidence import ClaimEvidence, Evidence
from overlay.protocol.endpoint import Endpoint
from sipgate.ports import LocalUser, Refusal
from trust.pins import TrustState
from trust.standing import Standing

ALICE, BOB, EVE = "A" * 40, "B" * 40, "E" * 40
HERE = (Endpoint("192.0.2.1", 7350),)


def claim(
    fingerprint: str,
    *,
    trust: TrustState = TrustState.NEW,
    endpoints: tuple[Endpoint, ...] = HERE,
    serial: int = 1,
    problem: str | None = None,
    node: bytes = b"n" * 32,
) -> ClaimEvidence:
    return ClaimEvidence(fingerprint, trust, node, b"i" * 20, endpoints, b"key", serial, 3, problem)


def evidence(*claims: ClaimEvidence, pinned: str | None = None) -> Evidence:
    return Evidence("sip:bob@mesh", claims, pinned, asked=5, elapsed_ms=1.0)


def refusal(found: Evidence) -> Refusal:
    with pytest.raises(Refusal) as caught:
        choose(found)
    return caught.value


def test_one_unknown_claim_is_followed() -> None:
    assert choose(evidence(claim(BOB))).fingerprint == BOB


def test_of_several_strangers_the_one_is_called_for_whom_somebody_vouches() -> None:
    found = evidence(claim(EVE), claim(BOB, trust=TrustState.INTRODUCED), claim(ALICE))
    assert choose(found).fingerprint == BOB
    found = evidence(claim(EVE, trust=TrustState.INTRODUCED), claim(BOB, trust=TrustState.VERIFIED))
    assert choose(found).fingerprint == BOB
    found = evidence(claim(EVE, trust=TrustState.INTRODUCED), claim(BOB, trust=TrustState.INTRODUCED))
    assert refusal(found).status == 300
    found = evidence(claim(EVE, trust=TrustState.INTRODUCED, problem="bad"), claim(BOB))
    assert choose(found).fingerprint == BOB


def test_a_pinned_key_that_the_users_keyring_forbids_is_not_called_and_is_no_conflict() -> None:
    standing = Standing(TrustState.PINNED, (), problem="It is revoked.")
    mine = dataclasses.replace(claim(BOB, problem="It is revoked."), standing=standing)
    found = evidence(mine, pinned=BOB)
    assert not found.conflict
    assert refusal(found).status == 403
    assert refusal(found).reason == "bob was not called. It is revoked."


def test_a_pinned_claim_wins_over_any_number_of_others() -> None:
    found = evidence(claim(EVE), claim(BOB, trust=TrustState.PINNED), claim(ALICE), pinned=BOB)
    assert choose(found).fingerprint == BOB
    assert not found.conflict


def test_only_other_keys_under_a_pinned_name_are_a_conflict() -> None:
    found = evidence(claim(EVE, trust=TrustState.CONFLICT), pinned=BOB)
    assert found.conflict
    assert refusal(found).status == 403
    assert "another key" in refusal(found).reason


def test_a_pinned_name_without_claims_is_away_not_unknown() -> None:
    assert refusal(evidence(pinned=BOB)).status == 480


def test_nobody_is_404() -> None:
    assert refusal(evidence()).status == 404


def test_claims_that_nobody_vouches_for_count_for_nothing() -> None:
    found = evidence(claim(EVE, problem="The delegation is not valid."))
    assert refusal(found).status == 404
    assert choose(evidence(claim(EVE, problem="no"), claim(BOB))).fingerprint == BOB


def test_an_unbelievable_claim_by_the_pinned_key_is_not_followed() -> None:
    assert refusal(evidence(claim(BOB, problem="expired"), pinned=BOB)).status == 403


def test_several_strangers_are_never_chosen_from() -> None:
    refused = refusal(evidence(claim(EVE), claim(BOB)))
    assert refused.status == 300
    assert len(refused.alternatives) == 2
    assert all(uri.startswith("sip:bob@") and uri.endswith(".mesh") for uri in refused.alternatives)


def test_of_one_persons_nodes_the_reachable_one_delegated_to_last_is_called() -> None:
    old = claim(BOB, serial=1, node=b"1" * 32)
    new = claim(BOB, serial=2, node=b"2" * 32)
    gone = claim(BOB, serial=3, node=b"3" * 32, endpoints=())
    assert choose(evidence(old, new, gone)) is new
    assert choose(evidence(old, gone, new, pinned=BOB)) is new


def test_the_json_is_stable() -> None:
    json = evidence(claim(BOB)).as_json()
    assert set(json) == {"uri", "found", "conflict", "pinned_fingerprint", "asked", "elapsed_ms", "claims"}
    assert set(json["claims"][0]) >= {
        "fingerprint",
        "trust",
        "node_id",
        "endpoints",
        "verified_delegation",
        "copies",
    }


def test_remembered_keys_are_bounded() -> None:
    keys = PeerKeys()
    for number in range(1500):
        keys.remember(f"{number:040X}", b"n", b"key")
    assert keys.get(f"{0:040X}", b"n") is None
    assert keys.get(f"{1499:040X}", b"n") == b"key"
    keys.remember(f"{1499:040X}", b"another node", b"with other subkeys")
    assert keys.get(f"{1499:040X}", b"n") == b"key"


def test_a_user_is_found_by_every_address_and_by_nothing_else() -> None:
    user = LocalUser("sip:bob@mesh", "bob", "bob", b"", b"", "secret")
    accounts = OneUser(user, frozenset({"sip:bob@mesh", f"sip:bob@{'a' * 32}.mesh"}))
    assert accounts.by_username("bob") is user
    assert accounts.by_username("eve") is None
    assert accounts.by_uri("SIP:Bob@mesh") is user
    assert accounts.by_uri(f"sip:bob@{'a' * 32}.mesh") is user
    assert accounts.by_uri("sip:bob@example.org") is None


def test_an_unlisted_user_is_nobody_here_under_the_bare_name() -> None:
    uri = "sip:bob+q7k3m5x2p4r6t7v2@mesh"
    user = LocalUser(uri, "bob", "bob", b"", b"", "secret")
    accounts = OneUser(user, frozenset({uri}))
    assert accounts.by_uri(uri) is user
    assert accounts.by_username("bob") is user
    assert accounts.by_uri("sip:bob@mesh") is None
