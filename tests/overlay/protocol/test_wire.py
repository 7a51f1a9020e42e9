"""Datagrams: each message comes back; nothing else is read; none is too large."""

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overlay.protocol.contact import Contact
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.errors import StoreCode, WireError
from overlay.protocol.nodeid import NodeId
from overlay.protocol.record import MAX_VALUE_BYTES
from overlay.protocol.wire import (
    MAX_CONTACTS,
    MAX_DATAGRAM,
    PADDED_FIND_NODE,
    PADDED_FIND_VALUE,
    PADDED_PING,
    Answer,
    AnyRequest,
    Dial,
    Dialed,
    FindNode,
    FindValue,
    Nodes,
    Ping,
    Pong,
    Store,
    Stored,
    Type,
    Values,
    decode,
    encode_answer,
    encode_request,
)

from .strategies import contacts, endpoints, node_ids

transaction_ids = st.binary(min_size=8, max_size=8)
tokens = st.binary(min_size=8, max_size=8)
maybe_tokens = st.one_of(st.just(b""), tokens)
values = st.binary(min_size=1, max_size=MAX_VALUE_BYTES)
several = st.lists(contacts, max_size=MAX_CONTACTS).map(
    lambda some: tuple(sorted(some, key=lambda c: c.endpoint.is_v6))
)
SEEN = Endpoint("127.0.0.1", 1).pack()
requests: st.SearchStrategy[AnyRequest] = st.one_of(
    st.builds(Ping, node_ids, st.booleans(), st.booleans()),
    st.builds(FindNode, node_ids, st.booleans(), node_ids, maybe_tokens),
    st.builds(FindValue, node_ids, st.booleans(), node_ids, maybe_tokens, st.integers(0, 255), maybe_tokens),
    st.builds(Store, node_ids, st.booleans(), node_ids, tokens, st.integers(0, 3), values),
    st.builds(Dial, node_ids, st.booleans(), tokens, st.none() | endpoints),
)
answers: st.SearchStrategy[Answer] = st.one_of(
    st.builds(
        Pong, endpoints, tokens, st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64)
    ),
    st.builds(Pong, endpoints, tokens, st.just(b""), st.just(b"")),
    st.builds(Nodes, endpoints, tokens, several),
    st.builds(Dialed, endpoints, st.integers(0, 255)),
    st.builds(
        Values,
        endpoints,
        tokens,
        st.just(()),
        st.lists(st.binary(max_size=90), max_size=10).map(tuple),
        st.integers(0, 255),
    ),
    st.builds(Stored, endpoints, st.sampled_from(StoreCode)),
)
ID, TOKEN = bytes(8), bytes(8)
NODE = NodeId(b"n" * 20)


@given(transaction_ids, requests)
@settings(max_examples=200)
def test_each_request_comes_back(transaction_id: bytes, request_: AnyRequest) -> None:
    data = encode_request(transaction_id, request_)
    assert len(data) <= MAX_DATAGRAM
    assert decode(data) == (transaction_id, request_)


@given(transaction_ids, answers)
@settings(max_examples=200)
def test_each_answer_comes_back(transaction_id: bytes, answer: Answer) -> None:
    data = encode_answer(transaction_id, answer)
    assert len(data) <= MAX_DATAGRAM
    assert decode(data) == (transaction_id, answer)


@given(st.binary(max_size=1300))
@settings(max_examples=500)
def test_any_bytes_are_a_message_or_a_wire_error(data: bytes) -> None:
    try:
        decode(data)
    except WireError:
        return


@given(
    st.one_of(requests.map(lambda r: encode_request(ID, r)), answers.map(lambda a: encode_answer(ID, a))),
    st.data(),
)
@settings(max_examples=500)
def test_a_damaged_message_is_a_message_or_a_wire_error(data: bytes, draw: st.DataObject) -> None:
    damaged = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 4))):
        damaged[draw.draw(st.integers(0, len(damaged) - 1))] = draw.draw(st.integers(0, 255))
    cut = damaged[: draw.draw(st.integers(0, len(damaged)))]
    for mutant in (bytes(damaged), bytes(cut), bytes(damaged) + b"\x00"):
        try:
            decode(mutant)
        except WireError:
            continue


def test_what_shows_no_token_is_padded() -> None:
    assert len(encode_request(ID, Ping(NODE, client=False))) in range(PADDED_PING, PADDED_PING + 3)
    for token, node_size, value_size in ((b"", PADDED_FIND_NODE, PADDED_FIND_VALUE), (TOKEN, 60, 60)):
        assert len(encode_request(ID, FindNode(NODE, False, NODE, token))) in range(node_size, node_size + 20)
        value = FindValue(NODE, False, NODE, token, 0)
        assert len(encode_request(ID, value)) in range(value_size, value_size + 20)


@pytest.mark.parametrize(
    "fields",
    [
        [1, Type.PING, ID, NODE, 0, b""],
        [1, Type.FIND_NODE, ID, NODE, 0, NODE, b"", bytes(100)],
        [1, Type.FIND_VALUE, ID, NODE, 0, NODE, b"", 0, b"", bytes(200)],
    ],
)
def test_what_shows_no_token_and_is_short_is_dropped(fields: list[object]) -> None:
    with pytest.raises(WireError, match="padded"):
        decode(msgpack.packb(fields))


@pytest.mark.parametrize(
    "fields",
    [
        [2, Type.STORED, ID, SEEN, 0],
        [True, Type.STORED, ID, SEEN, 0],
        [1, 99, ID, SEEN, 0],
        [1, True, ID, SEEN, 0],
        [1, Type.STORED, bytes(7), SEEN, 0],
        [1, Type.STORED, ID, SEEN, 5],
        [1, Type.STORED, ID, SEEN, True],
        [1, Type.STORED, ID, SEEN, 0, 0],
        [1, Type.STORED, "x" * 8, SEEN, 0],
        [1, Type.STORED, ID, SEEN[1:], 0],
        [1, Type.STORED, ID, 7, 0],
        [1, Type.PING, ID, NODE[1:], 0, bytes(40)],
        [1, Type.PING, ID, NODE, -1, bytes(40)],
        [1, Type.PING, ID, NODE, True, bytes(40)],
        [1, Type.STORE, ID, NODE, 0, NODE, b"", 2, b"x", b""],
        [1, Type.STORE, ID, NODE, 0, NODE, TOKEN, 4, b"x", b""],
        [1, Type.STORE, ID, NODE, 0, NODE, TOKEN, 2, b"", b""],
        [1, Type.STORE, ID, NODE, 0, NODE, TOKEN, 2, bytes(MAX_VALUE_BYTES + 1), b""],
        [1, Type.FIND_VALUE, ID, NODE, 0, NODE, TOKEN, 0, b"short", b""],
        [1, Type.DIAL, ID, NODE, 0, b"", b"", b""],
        [1, Type.DIAL, ID, NODE, 0, TOKEN, b"short", b""],
        [1, Type.DIALED, ID, SEEN, 256],
        [1, Type.NODES, ID, SEEN, TOKEN, bytes(26 * (MAX_CONTACTS + 1)), b""],
        [1, Type.NODES, ID, SEEN, TOKEN, b"", "x"],
        [1, Type.VALUES, ID, SEEN, TOKEN, b"", b"", [1], 1],
        [1, Type.VALUES, ID, SEEN, TOKEN, b"", b"", [b"x"] * 17, 17],
        [1, Type.VALUES, ID, SEEN, TOKEN, b"", b"", [], 256],
        [1, Type.PONG, ID, SEEN, TOKEN, bytes(32), b""],
        [1, Type.PONG, ID, SEEN, TOKEN, b"", bytes(64)],
        {1: 2},
        "twelve bytes",
    ],
)
def test_a_field_out_of_shape_is_refused(fields: object) -> None:
    data = msgpack.packb(fields)
    with pytest.raises(WireError):
        decode(data)


def test_unknown_flags_are_left_to_later_versions() -> None:
    data = msgpack.packb([1, Type.PING, ID, NODE, 0x81, bytes(40)])
    assert decode(data) == (ID, Ping(NODE, client=True))


def test_the_most_contacts_of_both_families_fit_in_a_datagram() -> None:
    both = [Contact(NODE, Endpoint("::1", 1))] * MAX_CONTACTS
    assert len(encode_answer(ID, Nodes(both[0].endpoint, TOKEN, tuple(both)))) <= MAX_DATAGRAM
