"""Delegations: which node speaks for whom, on which address, for how long."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust.delegation import (
    MAX_BYTES,
    SLACK_SECONDS,
    Delegation,
    DelegationRefused,
    SignedDelegation,
    check,
    delegate,
)
from trust.errors import BadKey
from trust.keyring import Keyring
from trust.uris import self_certifying_uri

NODE = bytes(range(32))
NOW = 1_800_000_000
URI = "sip:alice@mesh"


def of(uri: str = URI, not_after: int = NOW + 86400) -> Delegation:
    return Delegation(uri=uri, node_public_key=NODE, serial=7, not_after=not_after)


async def test_a_delegation_holds_for_its_node_and_address(alice: Keyring, mallory: Keyring) -> None:
    signed = SignedDelegation.parse(bytes(await delegate(alice, of())))
    key = await alice.export()
    await check(mallory, signed, key, now=NOW, uri=URI, node_public_key=NODE)
    long = self_certifying_uri("alice", alice.fingerprint)
    await check(mallory, signed, key, now=NOW, uri=long, node_public_key=NODE)


async def test_a_published_delegation_is_small(alice: Keyring) -> None:
    longest = "a" * 64
    signed = await delegate(alice, of(self_certifying_uri(longest, alice.fingerprint)))
    assert len(bytes(signed)) <= 400


@pytest.mark.parametrize(
    ("uri", "node", "now", "why"),
    [
        (URI, bytes(32), NOW, "another node"),
        ("sip:bob@mesh", NODE, NOW, "another address"),
        (self_certifying_uri("alice", "A" * 40), NODE, NOW, "another address"),
        ("sip:alice@elsewhere", NODE, NOW, "another address"),
        (URI, NODE, NOW + 86400 + SLACK_SECONDS + 1, "expired"),
    ],
)
async def test_it_holds_for_nothing_else(mallory: Keyring, uri: str, node: bytes, now: int, why: str) -> None:
    signed = await delegate(mallory, of())
    with pytest.raises(DelegationRefused, match=why):
        await check(mallory, signed, await mallory.export(), now=now, uri=uri, node_public_key=node)


async def test_a_clock_that_is_weeks_wrong_does_no_harm(mallory: Keyring) -> None:
    signed = await delegate(mallory, of())
    for now in (NOW + 86400 + SLACK_SECONDS, NOW - 10 * 365 * 86400):
        await check(mallory, signed, await mallory.export(), now=now, uri=URI, node_public_key=NODE)


async def test_a_delegation_for_the_long_address_alone_does_not_give_the_short_one(mallory: Keyring) -> None:
    long = self_certifying_uri("alice", mallory.fingerprint)
    signed = await delegate(mallory, of(long))
    key = await mallory.export()
    await check(mallory, signed, key, now=NOW, uri=long, node_public_key=NODE)
    with pytest.raises(DelegationRefused, match="another address"):
        await check(mallory, signed, key, now=NOW, uri=URI, node_public_key=NODE)


async def test_another_s_key_or_a_changed_field_is_refused(alice: Keyring, mallory: Keyring) -> None:
    signed = await delegate(mallory, of())
    with pytest.raises(DelegationRefused, match="not by this key"):
        await check(alice, signed, await alice.export(), now=NOW, uri=URI, node_public_key=NODE)
    claimed = SignedDelegation(signed.delegation, alice.fingerprint, signed.signature)
    with pytest.raises(DelegationRefused, match="another key than it says"):
        await check(alice, claimed, await mallory.export(), now=NOW, uri=URI, node_public_key=NODE)
    longer = SignedDelegation(of(not_after=NOW + 10**8), signed.fingerprint, signed.signature)
    with pytest.raises(DelegationRefused, match="not by this key"):
        await check(alice, longer, await mallory.export(), now=NOW, uri=URI, node_public_key=NODE)
    with pytest.raises(BadKey):
        await check(alice, signed, b"", now=NOW, uri=URI, node_public_key=NODE)


class HugeSigner:
    """A key whose signatures are too large to publish, as a large RSA key's are."""

    fingerprint = "A" * 40

    def __init__(self, keyring: Keyring) -> None:
        self.verify, self.inspect = keyring.verify, keyring.inspect
        self.export, self.aclose = keyring.export, keyring.aclose
        self.encrypt_to, self.decrypt = keyring.encrypt_to, keyring.decrypt

    async def sign(self, _data: bytes, /) -> bytes:
        return bytes(MAX_BYTES)


async def test_a_signature_too_large_to_publish_is_told_when_it_is_made(mallory: Keyring) -> None:
    with pytest.raises(DelegationRefused, match="elliptic-curve"):
        await delegate(HugeSigner(mallory), of())


@pytest.mark.parametrize(
    "fields",
    [
        {"uri": "sip:Alice@mesh"},
        {"node_public_key": bytes(31)},
        {"serial": -1},
        {"serial": 2**63},
        {"not_after": -1},
        {"not_after": 2**48},
    ],
)
def test_a_field_out_of_range_is_refused(fields: dict[str, object]) -> None:
    values: dict[str, object] = {"uri": URI, "node_public_key": NODE, "serial": 1, "not_after": NOW}
    with pytest.raises(DelegationRefused):
        Delegation(**{**values, **fields})  # type: ignore[arg-type]


def test_the_statement_is_what_the_document_says() -> None:
    parts = [
        b"freecall-delegation-1",
        URI.encode(),
        NODE,
        (7).to_bytes(8, "big"),
        (NOW + 86400).to_bytes(8, "big"),
    ]
    assert of().statement() == b"".join(len(part).to_bytes(4, "big") + part for part in parts)


delegations = st.builds(
    Delegation,
    uri=st.sampled_from([URI, "sip:b@mesh", self_certifying_uri("c", "0" * 40)]),
    node_public_key=st.binary(min_size=32, max_size=32),
    serial=st.integers(0, 2**63 - 1),
    not_after=st.integers(0, 2**48 - 1),
)
signed_delegations = st.builds(
    SignedDelegation,
    delegation=delegations,
    fingerprint=st.binary(min_size=20, max_size=20).map(lambda raw: raw.hex().upper()),
    signature=st.binary(max_size=400),
)


@given(signed_delegations)
def test_each_delegation_reads_back_as_it_was_written(signed: SignedDelegation) -> None:
    assert SignedDelegation.parse(bytes(signed)) == signed


@given(delegations, delegations)
def test_two_delegations_never_share_a_statement(one: Delegation, other: Delegation) -> None:
    assert (one == other) == (one.statement() == other.statement())


@given(
    st.one_of(
        st.binary(max_size=900),
        st.lists(st.one_of(st.integers(), st.binary(), st.text())).map(repr).map(str.encode),
    )
)
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(DelegationRefused):
        SignedDelegation.parse(data)


@given(signed_delegations, st.data())
def test_mutated_bytes_are_refused_or_mean_exactly_what_they_say(
    signed: SignedDelegation, data: st.DataObject
) -> None:
    raw = bytearray(bytes(signed))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        parsed = SignedDelegation.parse(bytes(raw))
    except DelegationRefused:
        return
    assert bytes(parsed) == bytes(raw)


FIELDS = [1, URI, NODE, 7, NOW, bytes(20), b"signature"]


@pytest.mark.parametrize(
    "value",
    [
        {1: 2},
        FIELDS[:-1],
        [*FIELDS, 1],
        [2, *FIELDS[1:]],
        [True, *FIELDS[1:]],
        [1, URI.encode(), *FIELDS[2:]],
        [*FIELDS[:5], bytes(19), b"s"],
        [*FIELDS[:3], 7.0, *FIELDS[4:]],
        [*FIELDS[:4], None, *FIELDS[5:]],
        [[[[[[1]]]]]],
        7,
    ],
)
def test_other_values_are_refused(value: object) -> None:
    with pytest.raises(DelegationRefused):
        SignedDelegation.parse(msgpack.packb(value))


def test_only_the_shortest_encoding_is_taken() -> None:
    good = msgpack.packb(FIELDS)
    assert bytes(SignedDelegation.parse(good)) == good
    with pytest.raises(DelegationRefused, match="canonical"):
        SignedDelegation.parse(good.replace(b"\x97\x01", b"\x97\xcc\x01", 1))
