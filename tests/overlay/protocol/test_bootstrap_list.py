"""Lists of nodes: one form, bounded, and nothing that a hostile maker writes gets further than a sentence."""

from dataclasses import replace
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overlay.protocol.bootstrap_list import (
    MAX_LIST_BYTES,
    MAX_NODES,
    BootstrapList,
    Entry,
    ListRefused,
    SignedList,
)
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.network import Network

from .strategies import endpoints

DAY = 86_400
MADE = 1_800_000_000
NODES = (Entry(Endpoint("192.0.2.1", 7350), 90, 1), Entry(Endpoint("2001:db8::1", 7350), 40, 9))
LIST = BootstrapList("flood 2026", NODES, MADE, 60, Network(bytes(range(16))))

entries = st.builds(Entry, endpoints, st.integers(0, 100), st.integers(0, 255))
names = st.text(min_size=1, max_size=10).filter(lambda name: name.isprintable() and name == name.strip())
lists = st.builds(
    BootstrapList,
    names,
    st.lists(entries, max_size=12, unique_by=lambda entry: entry.endpoint).map(tuple),
    st.integers(0, 2**32),
    st.integers(0, 1000),
    st.builds(Network, st.one_of(st.just(b""), st.binary(min_size=16, max_size=32))),
    st.binary(max_size=40),
)


def fields_of(made: BootstrapList = LIST, **changed: Any) -> bytes:
    """Return a list with some of its fields replaced by number."""
    fields = msgpack.unpackb(bytes(made))
    for place, value in changed.items():
        fields[int(place[1:])] = value
    data: bytes = msgpack.packb(fields)
    return data


@given(lists)
def test_what_was_written_is_read(made: BootstrapList) -> None:
    read = BootstrapList.parse(bytes(made))
    assert sorted(read.entries, key=lambda e: e.endpoint) == sorted(made.entries, key=lambda e: e.endpoint)
    assert replace(read, entries=()) == replace(made, entries=())
    assert bytes(read) == bytes(made)


@given(st.binary(max_size=200))
def test_noise_is_refused(data: bytes) -> None:
    for parse in (BootstrapList.parse, SignedList.parse):
        with pytest.raises(ListRefused):
            parse(data)


@given(st.recursive(st.none() | st.integers() | st.binary() | st.text(), st.lists, max_leaves=20))
def test_other_msgpack_is_refused(value: Any) -> None:
    try:
        data = msgpack.packb(value)
    except (OverflowError, UnicodeEncodeError):
        return
    with pytest.raises(ListRefused):
        BootstrapList.parse(data)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"f0": 2}, "newer version"),
        ({"f0": True}, "damaged"),
        ({"f1": b"flood"}, "damaged"),
        ({"f1": ""}, "name"),
        ({"f1": "x" * 41}, "damaged"),
        ({"f1": "\x1b[31mflood"}, "cannot be shown"),
        ({"f1": "dool\u202ef"}, "cannot be shown"),
        ({"f1": " flood"}, "cannot be shown"),
        ({"f2": bytes(15)}, "16 to 32"),
        ({"f2": bytes(33)}, "16 to 32"),
        ({"f3": -1}, "out of range"),
        ({"f3": 2**62}, "out of range"),
        ({"f4": 36_501}, "out of range"),
        ({"f5": bytes(5)}, "damaged"),
        ({"f5": bytes([224, 0, 0, 1, 1, 1]), "f7": b"", "f8": b""}, "no node's"),
        ({"f5": bytes(4) + b"\x01\x01", "f7": b"", "f8": b""}, "no node's"),
        ({"f5": bytes([10, 0, 0, 1, 0, 0]), "f7": b"", "f8": b""}, "no node's"),
        ({"f5": bytes([10, 0, 0, 1, 1, 1]) * 2, "f6": b"", "f7": b"", "f8": b""}, "twice"),
        ({"f6": b"\xff\x02" + bytes(14) + b"\x01\x01", "f7": b"", "f8": b""}, "no node's"),
        ({"f6": bytes(17)}, "damaged"),
        ({"f7": b"\x01"}, "score"),
        ({"f7": b""}, "score"),
        ({"f7": b"\x65\x01"}, "score"),
        ({"f9": bytes(8193)}, "too large"),
        ({"f9": None}, "damaged"),
    ],
)
def test_a_hostile_field_is_refused_in_words(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(ListRefused, match=why):
        BootstrapList.parse(fields_of(**changed))


def test_a_list_has_200_nodes_at_most() -> None:
    many = b"".join(Endpoint("10.0.0.1", 1 + port).pack() for port in range(MAX_NODES + 1))
    with pytest.raises(ListRefused, match="nodes"):
        BootstrapList.parse(fields_of(f5=many, f6=b"", f7=b"", f8=b""))
    both = fields_of(f5=many[:-6], f6=Endpoint("2001:db8::1", 1).pack(), f7=b"", f8=b"")
    with pytest.raises(ListRefused, match="201 nodes"):
        BootstrapList.parse(both)


def test_a_huge_or_nested_list_costs_nothing() -> None:
    for data in (
        bytes(MAX_LIST_BYTES + 1),
        b"\x91" * 10_000,
        b"\xdd\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
    ):
        for parse in (BootstrapList.parse, SignedList.parse):
            with pytest.raises(ListRefused):
                parse(data)


def test_another_spelling_of_the_same_list_is_refused() -> None:
    data = bytes(LIST)
    longer = data.replace(b"\xaaflood 2026", b"\xd9\x0aflood 2026")
    assert msgpack.unpackb(longer) == msgpack.unpackb(data)
    with pytest.raises(ListRefused, match="canonical"):
        BootstrapList.parse(longer)
    told = bytes(BootstrapList("n", (Entry(Endpoint("192.0.2.1", 1), 50, 0),), 0))
    scored = msgpack.unpackb(told)
    scored[7:9] = [b"\x32", b"\x00"]
    with pytest.raises(ListRefused, match="canonical"):
        BootstrapList.parse(msgpack.packb(scored))


@given(lists, st.binary(max_size=100))
def test_a_signature_travels_beside_the_list(made: BootstrapList, signature: bytes) -> None:
    signed = SignedList(bytes(made), signature)
    assert SignedList.parse(bytes(signed)) == signed
    with pytest.raises(ListRefused):
        SignedList.parse(bytes(signed) + b"\x00")


def test_no_bit_can_change_unnoticed_even_where_nobody_signed() -> None:
    data = bytes(SignedList(bytes(LIST)))
    for at in range(len(data)):
        for bit in range(8):
            with pytest.raises(ListRefused):
                SignedList.parse(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])


def test_a_list_in_a_wrapper_is_checked_too() -> None:
    with pytest.raises(ListRefused, match="newer version"):
        SignedList.parse(bytes(SignedList(fields_of(f0=2))))
    with pytest.raises(ListRefused):
        SignedList.parse(bytes(SignedList(bytes(LIST), bytes(2049))))


def test_a_date_alone_refuses_nothing() -> None:
    for now in (0, MADE - 3650 * DAY, MADE, MADE + 60 * DAY):
        assert not LIST.is_expired(now)
    assert LIST.is_expired(MADE + 62 * DAY)
    assert not replace(LIST, lifetime_days=0).is_expired(MADE + 10_000 * DAY)
    assert LIST.age_days(MADE + 3 * DAY) == 3
    assert LIST.age_days(0) < 0


def test_the_short_form_keeps_the_best() -> None:
    short = LIST.shortened(1)
    assert [entry.endpoint for entry in short.entries] == [NODES[0].endpoint]
    assert BootstrapList.parse(bytes(short)) == short


def test_an_ipv4_node_takes_six_bytes_on_paper() -> None:
    nodes = tuple(Entry(Endpoint("192.0.2.1", port), 9, 9) for port in range(1, 21))
    made = BootstrapList("flood", nodes, MADE, 60)
    assert len(bytes(made.shortened(20))) - len(bytes(made.shortened(10))) == 60


def test_loopback_and_link_local_of_others_are_left_out() -> None:
    local = (Entry(Endpoint("127.0.0.1", 1)), Entry(Endpoint("::1", 1)), Entry(Endpoint("fe80::1", 1)))
    assert replace(LIST, entries=(*NODES, *local)).without_strangers_loopback().entries == NODES


def test_a_list_for_one_machine_keeps_its_loopback() -> None:
    local = replace(LIST, entries=(Entry(Endpoint("127.0.0.1", 1)), Entry(Endpoint("127.0.0.1", 2))))
    assert local.without_strangers_loopback() == local


def test_the_secret_is_not_in_the_repr() -> None:
    assert repr(bytes(range(16)))[2:-1] not in repr(LIST)
