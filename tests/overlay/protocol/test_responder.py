"""What a node answers, and how little a forged address gains by it."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overlay.identity import NodeKey
from overlay.protocol.contact import Contact
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.errors import StoreCode
from overlay.protocol.nodeid import NodeId, distance
from overlay.protocol.record import Kind, blob_key, sign_record
from overlay.protocol.record_store import OWN, RecordStore
from overlay.protocol.responder import AMPLIFICATION, MAX_ANSWER_CONTACTS, Responder
from overlay.protocol.token import Tokens
from overlay.protocol.wire import (
    MAX_DATAGRAM,
    Answer,
    AnyRequest,
    FindNode,
    FindValue,
    Nodes,
    Ping,
    Pong,
    Store,
    Stored,
    Values,
    decode,
    encode_request,
    pong_statement,
)

KEY = NodeKey.from_seed(bytes(32))
ASKER, ID = NodeId(b"a" * 20), b"transact"
HERE = Endpoint("127.0.0.1", 5)
TARGET = NodeId(b"t" * 20)


class List:
    """A table that is a list."""

    def __init__(self, contacts: list[Contact]) -> None:
        self.contacts = contacts

    def nearest(self, target: NodeId, count: int) -> list[Contact]:
        """Sort by distance."""
        return sorted(self.contacts, key=lambda c: distance(c.id, target))[:count]


def contact(number: int, host: str = "127.0.0.1") -> Contact:
    """Return a contact with an id of its own."""
    return Contact(NodeId(random.Random(number).randbytes(20)), Endpoint(host, 1 + number))


def claims(sizes: list[int]) -> RecordStore:
    """Return a store with a claim of each payload size under `TARGET`."""
    store = RecordStore()
    for number, size in enumerate(sizes):
        key = NodeKey.from_seed(number.to_bytes(32, "big"))
        raw = sign_record(Kind.CLAIM, TARGET, key.public_key, 1, 60, bytes(size), key.sign).raw
        store.put(TARGET, Kind.CLAIM, raw, OWN, 0)
    return store


def responder(contacts: list[Contact] | None = None, store: RecordStore | None = None) -> Responder:
    """Return a responder."""
    return Responder(
        KEY.public_key,
        KEY.sign,
        List(contacts or []),
        RecordStore() if store is None else store,
        Tokens(b"secret"),
    )


def ask(one: Responder, request: AnyRequest, source: Endpoint = HERE, now: float = 0) -> Answer:
    """Send a request through its bytes."""
    data = encode_request(ID, request)
    answer = one.answer(ID, request, source, len(data), now)
    assert len(answer) <= MAX_DATAGRAM
    transaction_id, message = decode(answer)
    assert transaction_id == ID
    assert not isinstance(message, AnyRequest)
    return message


def token_of(one: Responder, now: float = 0) -> bytes:
    """Get a token."""
    pong = ask(one, Ping(ASKER, client=False), now=now)
    assert isinstance(pong, Pong)
    return pong.token


def test_a_pong_proves_the_id_and_tells_the_address() -> None:
    pong = ask(responder(), Ping(ASKER, client=False))
    assert isinstance(pong, Pong)
    KEY.private_key.public_key().verify(pong.signature, pong_statement(ID, ASKER))
    assert (pong.public_key, pong.observed) == (KEY.public_key, HERE)


def test_the_nearest_are_named_but_never_the_asker() -> None:
    known = [contact(n) for n in range(40)]
    asker = List(known).nearest(TARGET, 1)[0].id
    answer = ask(responder(known), FindNode(asker, client=False, target=TARGET, token=b""))
    assert isinstance(answer, Nodes)
    assert list(answer.contacts) == List(known).nearest(TARGET, MAX_ANSWER_CONTACTS + 1)[1:]


def test_who_is_on_our_loopback_is_named_to_who_is_there_too() -> None:
    known = [contact(1), contact(2, "::1"), contact(3, "10.0.0.1")]
    request = FindNode(ASKER, client=False, target=TARGET, token=b"")
    near, far = ask(responder(known), request), ask(responder(known), request, Endpoint("10.0.0.2", 5))
    assert isinstance(near, Nodes)
    assert isinstance(far, Nodes)
    assert len(near.contacts) == 3
    assert [c.endpoint.host for c in far.contacts] == ["10.0.0.1"]


def test_who_is_on_our_lan_is_named_to_who_is_there_too() -> None:
    known = [contact(1, "10.0.0.1"), contact(2, "45.0.0.1")]
    request = FindNode(ASKER, client=False, target=TARGET, token=b"")
    near = ask(responder(known), request, Endpoint("10.0.0.2", 5))
    far = ask(responder(known), request, Endpoint("45.0.0.2", 5))
    assert isinstance(near, Nodes)
    assert isinstance(far, Nodes)
    assert len(near.contacts) == 2
    assert [c.endpoint.host for c in far.contacts] == ["45.0.0.1"]


@given(
    st.integers(0, 40),
    st.lists(st.integers(1, 800), max_size=16),
    st.booleans(),
    st.integers(0, 20),
    st.sampled_from([b"", b"guessed!"]),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_an_answer_to_an_unproven_address_is_three_times_the_question_at_most(
    contacts: int, sizes: list[int], wants_value: bool, skip: int, token: bytes, v6: bool
) -> None:
    known = [contact(n, "2a00::1" if v6 else "45.0.0.1") for n in range(contacts)]
    one = responder(known, claims(sizes))
    requests: list[AnyRequest] = [Ping(ASKER, client=False), FindNode(ASKER, False, TARGET, token)]
    if wants_value:
        requests = [FindValue(ASKER, False, TARGET, token, skip)]
    for request in requests:
        size = len(encode_request(ID, request))
        assert len(one.answer(ID, request, HERE, size, 0)) <= min(MAX_DATAGRAM, AMPLIFICATION * size)


@given(st.lists(st.integers(1, 800), min_size=1, max_size=16))
@settings(max_examples=30, deadline=None)
def test_every_value_comes_page_by_page(sizes: list[int]) -> None:
    store = claims(sizes)
    one = responder([contact(n) for n in range(20)], store)
    token = token_of(one)
    collected: list[bytes] = []
    while len(collected) < len(sizes):
        page = ask(one, FindValue(ASKER, client=False, target=TARGET, token=token, skip=len(collected)))
        assert isinstance(page, Values)
        assert page.total == len(sizes)
        assert page.values
        collected += page.values
    assert sorted(collected) == sorted(store.get(TARGET, 0))


def test_without_values_the_nearest_contacts_are_the_answer() -> None:
    answer = ask(responder([contact(1)]), FindValue(ASKER, client=False, target=TARGET, token=b"", skip=0))
    assert isinstance(answer, Nodes)
    assert answer.contacts == (contact(1),)


def test_a_value_is_kept_for_who_shows_a_token() -> None:
    store = RecordStore()
    one = responder(store=store)
    blob = b"public key"
    good = Store(ASKER, client=False, target=blob_key(blob), token=token_of(one), kind=Kind.BLOB, value=blob)
    assert ask(one, good) == Stored(HERE, StoreCode.STORED)
    elsewhere = Endpoint("127.0.0.2", 5)
    assert ask(one, good, elsewhere) == Stored(elsewhere, StoreCode.BAD_TOKEN)
    assert ask(one, good, now=1000) == Stored(HERE, StoreCode.BAD_TOKEN)
    assert store.get(blob_key(blob), 0) == [blob]


@pytest.mark.parametrize(("kind", "value"), [(Kind.BLOB, b"other"), (Kind.CLAIM, b"noise"), (0, b"x")])
def test_what_may_not_be_kept_is_refused_with_the_reason(kind: int, value: bytes) -> None:
    one = responder()
    request = Store(ASKER, client=False, target=TARGET, token=token_of(one), kind=kind, value=value)
    assert ask(one, request) == Stored(HERE, StoreCode.INVALID)
