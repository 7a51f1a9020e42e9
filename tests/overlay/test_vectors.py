"""The published vectors: what they say is what we read, write and refuse, and they are up to date."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from overlay.identity import NodeKey
from overlay.protocol.bootstrap_list import SignedList
from overlay.protocol.bootstrap_text import from_lines, from_word
from overlay.protocol.claim import unseal
from overlay.protocol.errors import WireError
from overlay.protocol.network import Network
from overlay.protocol.nodeid import NodeId, node_id_of
from overlay.protocol.record import Kind, check_blob, key_hint, node_record, parse_record
from overlay.protocol.sealed_blob import unseal_blob
from overlay.protocol.token import Tokens
from overlay.protocol.wire import decode

ROOT = Path(__file__).parents[2]
MAKER = runpy.run_path(str(ROOT / "scripts" / "make_overlay_vectors.py"), run_name="maker")
LEAST = 60


def vectors(name: str) -> list[dict[str, Any]]:
    """Read one file."""
    read: list[dict[str, Any]] = json.loads((MAKER["FOLDER"] / f"{name}.json").read_text(encoding="utf-8"))
    return read


def of(vector: dict[str, Any], *names: str) -> tuple[bytes, ...]:
    """Return fields that are bytes."""
    return tuple(bytes.fromhex(vector[name]) for name in names)


@pytest.mark.parametrize(
    "name", ["identities", "messages", "records", "blobs", "refused", "networks", "bootstrap_lists"]
)
def test_the_files_are_what_the_code_makes(name: str) -> None:
    made = [{key: MAKER["plain"](value) for key, value in vector.items()} for vector in MAKER[name]()]
    assert vectors(name) == json.loads(json.dumps(made))


def test_there_are_enough() -> None:
    assert (
        sum(len(vectors(name)) for name in ("identities", "messages", "records", "refused", "networks"))
        >= LEAST
    )


@pytest.mark.parametrize("vector", vectors("identities"))
def test_a_key_gives_its_id_and_its_proof(vector: dict[str, Any]) -> None:
    seed, public_key, node_id, hint, statement, signature = of(
        vector, "seed", "public_key", "node_id", "hint", "pong_statement", "pong_signature"
    )
    key = NodeKey.from_seed(seed)
    assert (key.public_key, node_id_of(public_key), key_hint(public_key)) == (public_key, node_id, hint)
    key.private_key.public_key().verify(signature, statement)


@pytest.mark.parametrize("vector", vectors("messages"))
def test_a_datagram_is_read_as_the_message(vector: dict[str, Any]) -> None:
    transaction_id, message = decode(*of(vector, "datagram"))
    assert transaction_id == MAKER["ID"]
    assert MAKER["plain"](message) == vector["message"]


@pytest.mark.parametrize("vector", vectors("refused"), ids=lambda vector: str(vector["why"]))
def test_what_is_out_of_shape_is_dropped(vector: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        decode(*of(vector, "datagram"))


@pytest.mark.parametrize("vector", vectors("records"))
def test_a_record_is_read_and_fits_its_target_only(vector: dict[str, Any]) -> None:
    target, raw, payload = of(vector, "target", "raw", "payload")
    record = parse_record(target, raw)
    assert (record.seq, record.ttl, record.payload) == (vector["seq"], vector["ttl"], payload)
    if record.kind is Kind.CLAIM:
        assert MAKER["plain"](unseal(vector["uri"], payload)) == vector["claim"]
    else:
        assert bool(node_record(record).endpoints) != record.is_withdrawn
    with pytest.raises(WireError):
        parse_record(NodeId(bytes(20)), raw)


@pytest.mark.parametrize("vector", vectors("blobs"))
def test_a_blob_is_read_by_who_knows_the_name(vector: dict[str, Any]) -> None:
    key, blob, target = of(vector, "key", "blob", "target")
    check_blob(target, blob)
    assert unseal_blob(vector["uri"], blob) == key


@pytest.mark.parametrize("vector", vectors("bootstrap_lists"), ids=lambda vector: str(vector["name"]))
def test_a_bootstrap_list_is_the_same_in_each_form(vector: dict[str, Any]) -> None:
    whole, body, signature, key = of(vector, "envelope", "list", "signature", "network_key")
    signed = SignedList.parse(whole)
    assert (signed.body, signed.signature) == (body, signature)
    assert from_lines("\n".join(vector["lines"])) == from_word(vector["word"]) == whole
    made = signed.content
    assert (made.name, made.network.key, made.created) == (vector["name"], key, vector["created"])
    assert [MAKER["plain"](entry) for entry in made.entries] == vector["nodes"]


@pytest.mark.parametrize("vector", vectors("networks"))
def test_networks_and_tokens(vector: dict[str, Any]) -> None:
    if vector["what"] == "token":
        secret, host, token = of(vector, "secret", "host", "token")
        assert Tokens(secret).issue(host, vector["now"]) == token
        return
    key, message, datagram = of(vector, "key", "message", "datagram")
    assert Network(key).seal(message) == datagram
    assert Network(key).open(datagram) == message
    assert Network(key).label == vector["label"]
