"""The secrets of calls: what they say of a node, how many are kept, and what a damaged file says."""

import json
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from freecall.errors import ConfigError
from freecall.events import EventLog
from freecall.retained import MAX_NODES, CallSecrets, RetainedSecrets
from sipgate.ports import Peer
from tests.trust.memory_store import MemoryStore

BOB, NODE, OTHER = "B" * 40, b"n" * 32, b"o" * 32
PEER = Peer("sip:bob@mesh", "bob", "pinned", BOB, NODE, known=True)


def fresh(number: int) -> bytes:
    return bytes([number]) * 32


@dataclass
class Log:
    """Notes events."""

    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def emit(self, name: str, **fields: Any) -> None:
        """Note one."""
        self.told.append((name, fields))


def test_the_last_two_secrets_of_each_node_are_kept_across_a_restart() -> None:
    store = MemoryStore()
    kept = RetainedSecrets(store)
    for number in range(3):
        kept.keep(BOB, NODE, fresh(number))
    kept.keep(BOB, OTHER, fresh(9))
    again = RetainedSecrets(store)
    assert again.of(BOB, NODE) == (fresh(2), fresh(1))
    assert again.of(BOB, OTHER) == (fresh(9),)
    assert again.of("A" * 40, NODE) == ()
    assert again.of(BOB, b"x" * 32) == (fresh(9), fresh(2)), "a new node key, perhaps"


def test_what_a_match_or_none_means() -> None:
    kept = RetainedSecrets(MemoryStore())
    assert kept.state(BOB, NODE, matched=False) == "first"
    kept.keep(BOB, NODE, fresh(1))
    assert kept.state(BOB, NODE, matched=True) == "kept"
    assert kept.state(BOB, NODE, matched=False) == "lost"
    assert kept.state(BOB, OTHER, matched=False) == "other_node"


def test_neither_people_nor_nodes_of_one_person_fill_the_table() -> None:
    kept = RetainedSecrets(MemoryStore(), max_people=1)
    for number in range(MAX_NODES + 1):
        kept.keep(BOB, bytes([number]) * 32, fresh(1))
    assert kept.state(BOB, fresh(0), matched=False) == "other_node"
    assert all(kept.state(BOB, fresh(n), matched=False) == "lost" for n in range(1, MAX_NODES + 1))
    kept.keep("A" * 40, NODE, fresh(1))
    assert kept.of("A" * 40, NODE) == ()
    kept.forget(BOB)
    kept.keep("A" * 40, NODE, fresh(1))
    assert kept.of("A" * 40, NODE) == (fresh(1),)


@pytest.mark.parametrize(
    ("matched", "has", "state", "warning"),
    [
        (False, False, "first", ""),
        (True, True, "kept", ""),
        (False, True, "lost", "bob@mesh no longer has the secret of your last call."),
    ],
)
def test_a_call_tells_what_its_peer_had_and_keeps_the_new_secret(
    matched: bool, has: bool, state: str, warning: str
) -> None:
    kept, log = RetainedSecrets(MemoryStore()), Log()
    if has:
        kept.keep(BOB, NODE, fresh(1))
    call = CallSecrets(kept, PEER, cast("EventLog", log), lambda: "c1")
    assert call.secrets == ((fresh(1),) if has else ())
    call.settle(matched=matched, fresh=fresh(2))
    assert log.told[0] == ("call_continuity", {"call": "c1", "peer": "sip:bob@mesh", "state": state})
    assert [fields["text"][: len(warning)] for _, fields in log.told[1:]] == ([warning] if warning else [])
    assert kept.of(BOB, NODE)[0] == fresh(2)


def test_another_node_under_the_same_key_is_told() -> None:
    kept, log = RetainedSecrets(MemoryStore()), Log()
    kept.keep(BOB, OTHER, fresh(1))
    CallSecrets(kept, PEER, cast("EventLog", log), lambda: "c1").settle(matched=False, fresh=fresh(2))
    assert log.told[1][1]["text"].startswith("bob@mesh takes part from another node than before")


def test_a_full_disk_is_told_and_nothing_is_believed_that_was_not_written() -> None:
    store, log = MemoryStore(), Log()
    kept = RetainedSecrets(store)
    store.is_full = True
    CallSecrets(kept, PEER, cast("EventLog", log), lambda: "c1").settle(matched=False, fresh=fresh(2))
    assert "could not be kept" in log.told[-1][1]["text"]
    assert kept.of(BOB, NODE) == ()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        json.dumps({"version": 1, "people": {BOB: {"n": ["AA=="]}}}).encode(),
        b'{"version":1,"people":3}',
    ],
)
def test_a_damaged_file_is_told(raw: bytes) -> None:
    store = MemoryStore()
    store.save(raw)
    with pytest.raises(ConfigError, match="The file retained in the data directory is damaged"):
        RetainedSecrets(store)
