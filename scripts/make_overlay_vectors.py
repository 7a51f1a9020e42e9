"""Write tests/vectors/overlay/*.json: what a second implementation of docs/protocol/overlay.md must read and write.

Everything is derived from fixed seeds, so running it again changes nothing unless the protocol has changed.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import msgpack

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from overlay.identity import NodeKey  # noqa: E402 - the path comes first
from overlay.protocol.bootstrap_list import BootstrapList, Entry, SignedList  # noqa: E402
from overlay.protocol.bootstrap_text import to_lines, to_word  # noqa: E402
from overlay.protocol.claim import Claim, claim_target, seal  # noqa: E402
from overlay.protocol.contact import Contact  # noqa: E402
from overlay.protocol.endpoint import Endpoint  # noqa: E402
from overlay.protocol.errors import StoreCode  # noqa: E402
from overlay.protocol.network import Network  # noqa: E402
from overlay.protocol.nodeid import NodeId, distance  # noqa: E402
from overlay.protocol.record import Kind, blob_key, key_hint, pack_endpoints, sign_record  # noqa: E402
from overlay.protocol.sealed_blob import seal_blob  # noqa: E402
from overlay.protocol.token import Tokens  # noqa: E402
from overlay.protocol.wire import (  # noqa: E402
    VERSION,
    Answer,
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
    encode_answer,
    encode_request,
    pong_statement,
)

FOLDER = ROOT / "tests" / "vectors" / "overlay"
KEYS = [NodeKey.from_seed(bytes([n]) * 32) for n in range(1, 5)]
URIS = ("sip:bob@mesh", "sip:alice@mesh", "sip:zoë@mesh", "sip:bob+q7k3m5x2p4r6t7v2@mesh")
ID = bytes.fromhex("0102030405060708")
TOKEN = bytes.fromhex("a1a2a3a4a5a6a7a8")
TARGET = NodeId(bytes(range(20)))
V4, V6 = Endpoint("192.0.2.1", 7350), Endpoint("2001:db8::1", 7351)
CONTACTS = (Contact(KEYS[1].node_id, V4), Contact(KEYS[2].node_id, V6))


def plain(value: Any) -> Any:
    """Return a value as JSON has it: bytes in hexadecimal, endpoints as text."""
    plainer = value
    match value:
        case bytes():
            plainer = value.hex()
        case IntEnum():
            plainer = int(value)
        case Endpoint():
            plainer = str(value)
        case Contact():
            plainer = {"id": value.id.hex(), "endpoint": str(value.endpoint)}
        case tuple():
            plainer = [plain(item) for item in value]
        case _ if is_dataclass(value):
            plainer = {f.name: plain(getattr(value, f.name)) for f in fields(value)}
            plainer = {"type": type(value).__name__} | plainer
    return plainer


def identities() -> Iterator[dict[str, Any]]:
    """Keys, ids, hints, distances."""
    for key in KEYS:
        yield {
            "seed": key.seed,
            "public_key": key.public_key,
            "node_id": key.node_id,
            "hint": key_hint(key.public_key),
            "distance_to_target": f"{distance(key.node_id, TARGET):040x}",
            "pong_statement": pong_statement(ID, TARGET),
            "pong_signature": key.sign(pong_statement(ID, TARGET)),
        }


def messages() -> Iterator[dict[str, Any]]:
    """Each datagram, with and without what is optional."""
    me = KEYS[0].node_id
    blob = b"a small OpenPGP key"
    for request in (
        Ping(me, client=False),
        Ping(me, client=True),
        Ping(me, client=False, prove=False),
        FindNode(me, False, TARGET, b""),
        FindNode(me, True, TARGET, b""),
        FindNode(me, False, TARGET, TOKEN),
        FindValue(me, False, TARGET, b"", 0),
        FindValue(me, False, TARGET, TOKEN, 0),
        FindValue(me, False, TARGET, TOKEN, 3),
        FindValue(me, False, TARGET, TOKEN, 0, key_hint(KEYS[1].public_key)),
        Store(me, False, blob_key(blob), TOKEN, Kind.BLOB, blob),
        Store(me, False, blob_key(blob), TOKEN, Kind.BLOB, blob, 3600),
        Dial(me, True, TOKEN, None),
        Dial(me, False, TOKEN, V4),
        Dial(me, False, TOKEN, V6),
    ):
        yield {"message": request, "datagram": encode_request(ID, request)}
    signature = KEYS[0].sign(pong_statement(ID, TARGET))
    answers: tuple[Answer, ...] = (
        Pong(V4, TOKEN, KEYS[0].public_key, signature),
        Pong(V6, TOKEN, KEYS[0].public_key, signature),
        Pong(V4, TOKEN, b"", b""),
        Nodes(V4, TOKEN, ()),
        Nodes(V4, TOKEN, CONTACTS[:1]),
        Nodes(V6, TOKEN, CONTACTS),
        Values(V4, TOKEN, (), (b"one", b"two"), 2),
        Values(V4, TOKEN, CONTACTS, (b"one",), 5),
        *(Stored(V4, code) for code in StoreCode),
        Dialed(V4, 0),
        Dialed(V6, 3),
    )
    for answer in answers:
        yield {"message": answer, "datagram": encode_answer(ID, answer)}


def records() -> Iterator[dict[str, Any]]:
    """Signed records: node records, claims, withdrawals."""
    for key in KEYS:
        for name, payload in (("endpoints", pack_endpoints((V4, V6))), ("withdrawn", b"")):
            record = sign_record(Kind.NODE, key.node_id, key.public_key, 7, 3600, payload, key.sign)
            yield {
                "what": name,
                "target": key.node_id,
                "seq": 7,
                "ttl": 3600,
                "payload": payload,
                "raw": record.raw,
            }
    for number, uri in enumerate(URIS):
        key = KEYS[number]
        claim = Claim(bytes([number]) * 20, key.public_key, blob_key(uri.encode()), b"delegation")
        payload = seal(uri, claim, number)
        target = claim_target(uri)
        record = sign_record(Kind.CLAIM, target, key.public_key, number, 60, payload, key.sign)
        yield {
            "what": "claim",
            "uri": uri,
            "claim": claim,
            "target": target,
            "seq": number,
            "ttl": 60,
            "payload": payload,
            "raw": record.raw,
        }


def blobs() -> Iterator[dict[str, Any]]:
    """OpenPGP keys as they lie on the mesh: sealed under the short URI."""
    for uri in URIS:
        for key in (b"\x98", b"a small OpenPGP key", bytes(950)):
            sealed = seal_blob(uri, key)
            yield {"uri": uri, "key": key, "blob": sealed, "target": blob_key(sealed)}


def refused() -> Iterator[dict[str, Any]]:
    """Datagrams that must be dropped, and why."""
    me, seen = KEYS[0].node_id, V4.pack()
    pad = bytes(400)
    for why, fields_ in (
        ("another version", [VERSION + 1, Type.STORED, ID, seen, 0]),
        ("an unknown type", [VERSION, 99, ID, seen, 0]),
        ("a boolean for a number", [VERSION, True, ID, seen, 0]),
        ("a transaction id of 7 bytes", [VERSION, Type.STORED, ID[1:], seen, 0]),
        ("text for bytes", [VERSION, Type.STORED, "x" * 8, seen, 0]),
        ("a field too many", [VERSION, Type.STORED, ID, seen, 0, 0]),
        ("an unknown code", [VERSION, Type.STORED, ID, seen, 5]),
        ("a node id of 19 bytes", [VERSION, Type.PING, ID, me[1:], 0, pad]),
        ("a ping that is not padded", [VERSION, Type.PING, ID, me, 0, b""]),
        ("a find without token that is not padded", [VERSION, Type.FIND_NODE, ID, me, 0, TARGET, b"", b""]),
        ("a token of 7 bytes", [VERSION, Type.FIND_NODE, ID, me, 0, TARGET, TOKEN[1:], pad]),
        ("a hint of 7 bytes", [VERSION, Type.FIND_VALUE, ID, me, 0, TARGET, TOKEN, 0, ID[1:], b""]),
        ("a negative skip", [VERSION, Type.FIND_VALUE, ID, me, 0, TARGET, TOKEN, -1, b"", b""]),
        ("a store without token", [VERSION, Type.STORE, ID, me, 0, TARGET, b"", 3, b"x", 0, b""]),
        ("an empty value", [VERSION, Type.STORE, ID, me, 0, TARGET, TOKEN, 3, b"", 0, b""]),
        ("a value of 1,001 bytes", [VERSION, Type.STORE, ID, me, 0, TARGET, TOKEN, 3, bytes(1001), 0, b""]),
        ("an age of 7,201 seconds", [VERSION, Type.STORE, ID, me, 0, TARGET, TOKEN, 3, b"x", 7201, b""]),
        ("a store without an age", [VERSION, Type.STORE, ID, me, 0, TARGET, TOKEN, 3, b"x", b""]),
        ("contacts of a broken length", [VERSION, Type.NODES, ID, seen, TOKEN, bytes(25), b""]),
        (
            "a contact at port 0",
            [VERSION, Type.NODES, ID, seen, TOKEN, bytes(20) + V4.pack()[:4] + bytes(2), b""],
        ),
        (
            "a multicast contact",
            [VERSION, Type.NODES, ID, seen, TOKEN, bytes(20) + bytes([224, 0, 0, 1, 1, 1]), b""],
        ),
        ("a key without signature", [VERSION, Type.PONG, ID, seen, TOKEN, KEYS[0].public_key, b""]),
        ("an observed address of 5 bytes", [VERSION, Type.DIALED, ID, seen[1:], 0]),
        ("no array", {1: 2}),
    ):
        yield {"why": why, "datagram": msgpack.packb(fields_)}
    yield {
        "why": "bytes after the end",
        "datagram": encode_answer(ID, Stored(V4, StoreCode.STORED)) + b"\x00",
    }
    yield {"why": "cut short", "datagram": encode_answer(ID, Nodes(V4, TOKEN, CONTACTS))[:-1]}


def networks() -> Iterator[dict[str, Any]]:
    """The MAC and the label of networks; the tokens of addresses."""
    message = encode_request(ID, Ping(KEYS[0].node_id, client=False))
    for key in (b"", bytes(16), bytes(range(32))):
        network = Network(key)
        fields_ = {"key": key, "label": network.label, "message": message, "datagram": network.seal(message)}
        yield {"what": "network"} | fields_
    tokens = Tokens(bytes(32))
    for host, now in (
        (V4.pack()[:-2], 0.0),
        (V4.pack()[:-2], 299.9),
        (V4.pack()[:-2], 300.0),
        (V6.pack()[:-2], 0.0),
    ):
        token = tokens.issue(host, now)
        yield {"what": "token", "secret": bytes(32), "host": host, "now": now, "token": token}


def bootstrap_lists() -> Iterator[dict[str, Any]]:
    """Lists of nodes in their three forms; the signature, where there is one, is for its place only."""
    nodes = (Entry(V4, 90, 1), Entry(Endpoint("198.51.100.7", 1), 40, 255), Entry(V6, 7, 0))
    for name, entries, network, signature in (
        ("public", nodes, Network(), b""),
        ("clinic", nodes, Network(bytes(range(16))), b""),
        (
            "Überschwemmung 2026",
            tuple(Entry(entry.endpoint) for entry in nodes),
            Network(),
            b"\x01" + bytes(89),
        ),
        ("no node yet", (), Network(bytes(32)), b""),
    ):
        made = BootstrapList(name, entries, 1_780_000_000, 90, network)
        signed = SignedList(bytes(made), signature)
        yield {
            "name": name,
            "network_key": network.key,
            "created": made.created,
            "lifetime_days": made.lifetime_days,
            "nodes": entries,
            "list": bytes(made),
            "signature": signature,
            "envelope": bytes(signed),
            "lines": tuple(to_lines(bytes(signed))),
            "word": to_word(bytes(signed)),
        }


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    total = 0
    for make in (identities, messages, records, blobs, refused, networks, bootstrap_lists):
        vectors = [{name: plain(value) for name, value in vector.items()} for vector in make()]
        total += len(vectors)
        text = json.dumps(vectors, indent=1, ensure_ascii=False)
        (FOLDER / f"{make.__name__}.json").write_text(text + "\n", encoding="utf-8")
    print(f"{total} vectors in {FOLDER.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
