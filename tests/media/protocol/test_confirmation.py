"""Every cell of the machine, two machines on a bad wire, and the bytes that a second implementation needs."""

import hashlib
import hmac
import itertools
import random
import struct
from collections import deque
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.protocol import confirmation as machine
from media.protocol.confirmation import (
    Agreed,
    Confirmation,
    Confirmed,
    Failed,
    Input,
    Send,
    Sign,
    State,
    Verify,
)
from media.protocol.confirmation_messages import Kind, Message
from media.protocol.pgp_words import EVEN, ODD, words
from media.protocol.transcript import Context, Transcript, length_prefixed, statement

CONTEXT = Context(
    b"call-1@test", b"A" * 40, b"B" * 40, b"a" * 20, b"b" * 20, b"\1" * 32, b"\2" * 32,
    b"caller", b"SRTP_AEAD_AES_256_GCM", b"DTLSv1.2", b"ECDHE-ECDSA-AES256-GCM-SHA384",
)  # fmt: skip
TRANSCRIPT = Transcript.of(CONTEXT.digest(), bytes(range(64)))
CALLER_NONCE, CALLEE_NONCE = b"\xaa" * 32, b"\xbb" * 32


def pair(other: Transcript = TRANSCRIPT) -> tuple[Confirmation, Confirmation]:
    return Confirmation("caller", TRANSCRIPT, CALLER_NONCE), Confirmation("callee", other, CALLEE_NONCE)


class Wire:
    """Two machines and the messages between them; signatures are hashes of the statement."""

    def __init__(self, caller: Confirmation, callee: Confirmation) -> None:
        self.ends = {"caller": caller, "callee": callee}
        self.flying: deque[tuple[str, bytes]] = deque()
        self.events: dict[str, list[object]] = {"caller": [], "callee": []}

    def act(self, name: str, actions: list[machine.Action]) -> None:
        end, other = self.ends[name], "callee" if name == "caller" else "caller"
        for action in actions:
            match action:
                case Send(data):
                    self.flying.append((other, data))
                case Sign(text):
                    self.act(name, end.signed(hashlib.sha256(text).digest()))
                case Verify(text, signature):
                    good = signature == hashlib.sha256(text).digest()
                    self.act(name, end.verified() if good else end.rejected("bad signature"))
                case _:
                    self.events[name].append(action)

    def deliver(self, index: int = 0) -> None:
        self.flying.rotate(-index)
        name, data = self.flying.popleft()
        self.flying.rotate(index)
        self.act(name, self.ends[name].receive(data))

    def repeat(self) -> None:
        for name, other in (("caller", "callee"), ("callee", "caller")):
            self.flying.extend((other, data) for data in self.ends[name].unacknowledged())


def test_both_agree_and_confirm() -> None:
    wire = Wire(*pair())
    wire.act("caller", wire.ends["caller"].start())
    while wire.flying:
        wire.deliver()
    assert {end.state for end in wire.ends.values()} == {State.COMPLETE}
    assert wire.events["caller"] == wire.events["callee"]
    assert [type(event) for event in wire.events["caller"]] == [Agreed, Confirmed]


@given(st.integers(0, 2**32))
def test_loss_repetition_and_reordering_change_nothing(seed: int) -> None:
    chance = random.Random(seed)
    wire = Wire(*pair())
    wire.act("caller", wire.ends["caller"].start())
    for _ in range(400):
        if not wire.flying:
            wire.repeat()
        if not wire.flying:
            break
        index = chance.randrange(len(wire.flying))
        fate = chance.random()
        if fate < 0.3:
            del wire.flying[index]
        elif fate < 0.5 and len(wire.flying) < 40:
            wire.flying.append(wire.flying[index])
        else:
            wire.deliver(index)
    assert {end.state for end in wire.ends.values()} == {State.COMPLETE}


@given(st.integers(0, 2**32), st.binary(max_size=80))
def test_whatever_is_sent_in_between_never_confirms_anything_else(seed: int, noise: bytes) -> None:
    chance = random.Random(seed)
    wire = Wire(*pair())
    wire.act("caller", wire.ends["caller"].start())
    for _ in range(60):
        if not wire.flying:
            break
        name, data = wire.flying[0]
        if chance.random() < 0.2:
            at = chance.randrange(len(data))
            wire.flying[0] = name, chance.choice([data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], noise])
        wire.deliver()
    agreed = [e.agreement for events in wire.events.values() for e in events if isinstance(e, Agreed)]
    confirmed = [e for events in wire.events.values() for e in events if isinstance(e, Confirmed)]
    if confirmed:
        assert len({a.session_hash for a in agreed}) == 1


def test_other_sessions_do_not_open_the_commitment() -> None:
    other = Transcript.of(CONTEXT.digest(), bytes(64))
    wire = Wire(*pair(other))
    wire.act("caller", wire.ends["caller"].start())
    while wire.flying:
        wire.deliver()
    assert wire.ends["callee"].state is State.FAILED
    assert any(isinstance(event, Failed) for event in wire.events["callee"])
    assert not any(isinstance(event, Confirmed) for events in wire.events.values() for event in events)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Input)))
def test_every_cell_leads_where_the_table_says(state: State, event: Input) -> None:
    """Feed each input in each state: a step of the table, a failure, or a ValueError for our own."""
    role = "caller" if state in (State.IDLE, State.COMMITTED) or event is Input.NONCE else "callee"
    one = Confirmation("caller" if role == "caller" else "callee", TRANSCRIPT, CALLER_NONCE)
    one.state = state
    one._peer_nonce, one._own_signature, one._peer_signature = CALLEE_NONCE, b"own", None
    one.agreement = TRANSCRIPT.agreement(CALLER_NONCE, CALLEE_NONCE)
    if role == "callee":
        one._commitment = TRANSCRIPT.commitment(CALLEE_NONCE)
    bodies = {
        Input.COMMIT: TRANSCRIPT.commitment(CALLEE_NONCE),
        Input.NONCE: CALLEE_NONCE, Input.REVEAL: CALLEE_NONCE, Input.SIGNATURE: b"theirs", Input.DONE: b"",
    }  # fmt: skip
    if state in (State.CONFIRMED, State.COMPLETE):
        one._peer_signature = b"theirs"
    step = machine._STEPS.get((state, event))
    if event in bodies:
        one.receive(bytes(Message(Kind[event.name], bodies[event])))
    elif event is Input.REJECTED:
        one.rejected("no")
        assert one.state is State.FAILED
        return
    else:
        call = {Input.START: one.start, Input.SIGNED: lambda: one.signed(b"x"), Input.VERIFIED: one.verified}[
            event
        ]
        if step is None and state is not State.FAILED:
            with pytest.raises(ValueError, match=event.name):
                call()
            return
        call()
    assert one.state is (step[0] if step else State.FAILED)


def test_a_second_signature_or_commitment_ends_it() -> None:
    for kind, body in ((Kind.SIGNATURE, b"other"), (Kind.COMMIT, b"c" * 32), (Kind.REVEAL, b"n" * 32)):
        wire = Wire(*pair())
        wire.act("caller", wire.ends["caller"].start())
        while wire.flying:
            wire.deliver()
        assert wire.ends["callee"].receive(bytes(Message(kind, body))) == [Failed(machine._OUT_OF_ORDER)]


def test_a_refused_signature_is_told_with_its_reason_once() -> None:
    one, _ = pair()
    assert one.rejected("by another key") == [Failed("by another key")]
    assert one.rejected("again") == []
    assert one.receive(b"") == []
    assert one.signed(b"late") == []


@given(st.binary(max_size=60))
def test_garbage_ends_the_confirmation_and_raises_nothing(data: bytes) -> None:
    _, callee = pair()
    callee.receive(data)
    assert callee.state in (State.FAILED, State.ANSWERED)


@given(st.sampled_from(Kind), st.binary(max_size=1_300))
def test_messages_are_read_as_written_or_refused(kind: Kind, body: bytes) -> None:
    data = bytes(Message(kind, body))
    try:
        assert Message.parse(data) == Message(kind, body)
    except ValueError:
        assert kind is Kind.DONE or len(body) != 32


def test_vectors() -> None:
    """For a second implementation: docs/protocol/media.md prints these."""
    assert length_prefixed(b"ab", b"") == bytes.fromhex("00000002" + "6162" + "00000000")
    agreement = TRANSCRIPT.agreement(CALLER_NONCE, CALLEE_NONCE)
    assert {
        "ctx": CONTEXT.digest().hex(),
        "T": TRANSCRIPT.digest.hex(),
        "commit": TRANSCRIPT.commitment(CALLER_NONCE).hex(),
        "sas": agreement.short_string.hex(),
        "H": agreement.session_hash.hex(),
        "words": words(agreement.short_string),
    } == VECTORS
    assert statement("caller", bytes(32)) == length_prefixed(b"freecall-confirmation-1", b"caller", bytes(32))
    assert bytes(Message(Kind.DONE)) == bytes.fromhex("01050000")
    assert bytes(Message(Kind.SIGNATURE, b"\x99\x88")) == bytes.fromhex("010400029988")


def test_the_derivation_is_the_documented_one() -> None:
    """Once more, from the page and not from the code."""

    def lp(*parts: bytes) -> bytes:
        return b"".join(struct.pack("!I", len(part)) + part for part in parts)

    ctx = hashlib.sha256(lp(b"freecall-confirm-1", *astuple(CONTEXT))).digest()
    exported = bytes(range(64))
    digest = hashlib.sha256(lp(b"T", ctx, exported[:32])).digest()
    commit = hashlib.sha256(lp(b"commit", digest, CALLER_NONCE)).digest()
    sas = hmac.digest(exported[32:], lp(b"sas", digest, CALLER_NONCE, CALLEE_NONCE), "sha256")[:4]
    session = hashlib.sha256(lp(b"session", digest, CALLER_NONCE, CALLEE_NONCE)).digest()
    assert TRANSCRIPT.digest == digest
    assert TRANSCRIPT.commitment(CALLER_NONCE) == commit
    agreement = TRANSCRIPT.agreement(CALLER_NONCE, CALLEE_NONCE)
    assert (agreement.short_string, agreement.session_hash) == (sas, session)


def test_the_word_lists_are_whole() -> None:
    assert (len(set(EVEN)), len(set(ODD))) == (256, 256)
    example = bytes.fromhex("E58294F2E9A227486E8B061B31CC528FD7FA3F19")
    assert " ".join(words(example)) == (
        "topmost Istanbul Pluto vagabond treadmill Pacific brackish dictator goldfish Medusa "
        "afflict bravado chatter revolver Dupont midsummer stopwatch whimsical cowbell bottomless"
    )


VECTORS = {
    "ctx": "6fdef46a49071acb1bec0e7429718d3af2ad9e33143cb032097bde8b95081410",
    "T": "1bab34104f548e7c22726304bcc5cf45caf7435ebbad161f16165693120f61a9",
    "commit": "ab4a63542df7aac2af524aeaa4de589078ad8226b610078eb36fce6707945b1c",
    "sas": "5ab1864c",
    "H": "d1f2398bc3124c4f1164692efcfac0861b79afc6881c2af1a27f639d5b6c1469",
    "words": ("enlist", "photograph", "necklace", "disbelief"),
}
