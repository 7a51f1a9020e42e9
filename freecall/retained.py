"""The secrets kept of calls: whoever has stolen somebody's keys does not have them, and is noticed."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable
from typing import Any

from sipgate.ports import Peer
from trust.ports import Store

from .errors import ConfigError
from .events import EventLog

FILE = "retained"
VERSION = 1
MAX_PEOPLE = 5000
MAX_NODES = 8
KEPT_OF_ONE = 2
SECRET_BYTES = 32

Nodes = dict[str, list[bytes]]

KEPT, FIRST, OTHER_NODE, LOST = "kept", "first", "other_node", "lost"
WARNINGS = {
    LOST: "{name} no longer has the secret of your last call. Their node may have lost it, or somebody with their keys "
    "has taken their place: compare the four words of this call.",
    OTHER_NODE: "{name} takes part from another node than before, with the same key. If that surprises you, compare "
    "the four words of this call.",
}


class RetainedSecrets:
    """For each person's key and node the secrets of the last two calls, the latest first. Changes are saved at once."""

    def __init__(self, store: Store, *, max_people: int = MAX_PEOPLE) -> None:
        """Load them.

        Raises:
            ConfigError: what the store holds cannot be read.
        """
        self._store = store
        self._max_people = max_people
        raw = store.load()
        self._people = {} if raw is None else _parse(raw)

    def of(self, fingerprint: str, node_public_key: bytes) -> tuple[bytes, ...]:
        """Return what is kept of calls with this person at this node; of a new node, what their others had last.

        A person who has only made a new node key still knows the secret.
        """
        nodes = self._people.get(_hashed(fingerprint), {})
        others = [kept[0] for kept in reversed(nodes.values())]
        return tuple(nodes.get(_hashed(node_public_key.hex()), others[:KEPT_OF_ONE]))

    def state(self, fingerprint: str, node_public_key: bytes, *, matched: bool) -> str:
        """Return what it means that the node has shown, or not, one of these."""
        if matched:
            return KEPT
        nodes = self._people.get(_hashed(fingerprint))
        if not nodes:
            return FIRST
        return LOST if _hashed(node_public_key.hex()) in nodes else OTHER_NODE

    def forget(self, fingerprint: str) -> None:
        """Drop what is kept of calls with this person."""
        person = _hashed(fingerprint)
        if person in self._people:
            people = {other: nodes for other, nodes in self._people.items() if other != person}
            self._store.save(_format(people))
            self._people = people

    def keep(self, fingerprint: str, node_public_key: bytes, fresh: bytes) -> None:
        """Keep the secret of a call before the others of this node. A full table takes nobody new."""
        person, node = _hashed(fingerprint), _hashed(node_public_key.hex())
        nodes: Nodes = dict(self._people.get(person, {}))
        if not nodes and len(self._people) >= self._max_people:
            return
        former = nodes.pop(node, [])
        while len(nodes) >= MAX_NODES:
            nodes.pop(next(iter(nodes)))  # the one that was heard of longest ago
        nodes[node] = [fresh, *former][:KEPT_OF_ONE]
        people = {**self._people, person: nodes}
        self._store.save(_format(people))
        self._people = people


class CallSecrets:
    """Answers media's `Retained` port for one call with one peer."""

    def __init__(self, kept: RetainedSecrets, peer: Peer, log: EventLog, call: Callable[[], str]) -> None:
        self._kept = kept
        self._peer = peer
        self._log = log
        self._call = call
        self.secrets = kept.of(peer.fingerprint, peer.node_public_key)

    def settle(self, *, matched: bool, fresh: bytes) -> None:
        """Tell what it means, and keep the secret of this call."""
        peer = self._peer
        state = self._kept.state(peer.fingerprint, peer.node_public_key, matched=matched)
        self._log.emit("call_continuity", call=self._call(), peer=peer.uri, state=state)
        if state in WARNINGS:
            self._log.emit("warning", text=WARNINGS[state].format(name=peer.uri.removeprefix("sip:")))
        try:
            self._kept.keep(peer.fingerprint, peer.node_public_key, fresh)
        except OSError as error:
            self._log.emit("warning", text=f"The secret of a call could not be kept ({error.strerror}).")


def _hashed(key: str) -> str:
    """Return under what a key stands in the file, which names nobody."""
    return hashlib.sha256(f"freecall/retained/{key}".encode()).hexdigest()[:32]


def _format(people: dict[str, Nodes]) -> bytes:
    rows = {
        fingerprint: {
            node: [base64.b64encode(each).decode() for each in kept] for node, kept in nodes.items()
        }
        for fingerprint, nodes in people.items()
    }
    return json.dumps({"version": VERSION, "people": rows}, indent=1).encode() + b"\n"


def _parse(raw: bytes) -> dict[str, Nodes]:
    try:
        content = json.loads(raw)
        rows = {content["version"]: content["people"]}[VERSION]
        return {
            fingerprint: {node: [_secret(each) for each in kept] for node, kept in nodes.items()}
            for fingerprint, nodes in rows.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, binascii.Error) as error:
        raise ConfigError(
            f"The file {FILE} in the data directory is damaged ({error}). Restore it from a copy, or remove it: then "
            "you and those you call are warned once that the secret of your last call is lost."
        ) from error


def _secret(text: Any) -> bytes:
    secret = base64.b64decode(text, validate=True)
    if len(secret) != SECRET_BYTES:
        raise ValueError("a secret of another length")
    return secret
