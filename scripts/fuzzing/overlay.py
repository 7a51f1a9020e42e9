"""What the overlay reads from others: datagrams, records, claims, bootstrap lists. Begins with our vectors."""

from contextlib import suppress

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from overlay.protocol.bootstrap_list import BootstrapList, ListRefused, SignedList
from overlay.protocol.bootstrap_merge import merge
from overlay.protocol.bootstrap_text import Mistyped, from_lines, from_word, to_lines
from overlay.protocol.claim import NONCE_BYTES, claim_target, unseal
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.errors import WireError
from overlay.protocol.nodeid import ID_BYTES
from overlay.protocol.record import Kind, Record, node_record, parse_record
from overlay.protocol.sealed_blob import unseal_blob
from tests.overlay.fuzzed_node import conversation, datagrams, insider, spoofed, strangers, vectors

from .parser import Parser, reading

URI = "sip:bob@mesh"
KEY = HKDF(hashes.SHA256(), 32, salt=None, info=b"freecall/claim/seal/1").derive(URI.encode())
NONCE = bytes(NONCE_BYTES)


def read_record(data: bytes) -> None:
    """Read a target with a record under it, and the bytes once more as the payload of a genuine node record."""
    with suppress(WireError):
        node_record(parse_record(data[:ID_BYTES], data[ID_BYTES:]))
    node_record(Record(Kind.NODE, bytes(32), 1, 60, data, data))


def read_claim(data: bytes) -> None:
    """Open it as a claim and as a blob; and as a claim once more, sealed so that what is inside gets read."""
    for read in (unseal, unseal_blob):
        with suppress(WireError):
            read(URI, data)
    unseal(URI, NONCE + ChaCha20Poly1305(KEY).encrypt(NONCE, data, claim_target(URI)))


def read_list(data: bytes) -> None:
    """Read it as a list with and without its envelope; and in an envelope that fits."""
    for signed in (data, bytes(SignedList(data))):
        with suppress(ListRefused):
            use(SignedList.parse(signed).content)
    BootstrapList.parse(data)


def use(content: BootstrapList) -> None:
    """Do with a list what is done with lists."""
    bytes(content.shortened(5))
    bytes(content.without_strangers_loopback())
    merge([content], content.entries[:1], now=content.created)


def read_text(data: bytes) -> None:
    """Read what a person typed, or a camera saw; and read back what would be printed of the same bytes."""
    text = data.decode("utf-8", "replace")
    for read in (from_lines, from_word):
        with suppress(ListRefused, Mistyped):
            read(text)
    with suppress(ValueError):
        Endpoint.parse(text)
    if len(data) < 100 and from_lines("\n".join(to_lines(data))) != data:
        raise AssertionError("read back otherwise")


def records() -> list[bytes]:
    """Return each record behind its target, and each payload."""
    found = [bytes.fromhex(one["target"] + one["raw"]) for one in vectors("records")]
    return found + [bytes.fromhex(one["payload"]) for one in vectors("records")]


def claims() -> list[bytes]:
    """Return sealed claims and blobs, and what is in claims."""
    found = [bytes.fromhex(one["payload"]) for one in vectors("records") if one.get("uri") == URI]
    plain = [
        ChaCha20Poly1305(KEY).decrypt(payload[:NONCE_BYTES], payload[NONCE_BYTES:], claim_target(URI))
        for payload in found
    ]
    return found + plain + [bytes.fromhex(one["blob"]) for one in vectors("blobs")]


def lists() -> list[bytes]:
    """Return lists with and without their envelopes."""
    return [bytes.fromhex(one[name]) for one in vectors("bootstrap_lists") for name in ("list", "envelope")]


def texts() -> list[bytes]:
    """Return lists as lines and as words."""
    found = vectors("bootstrap_lists")
    return [one["word"].encode() for one in found] + ["\n".join(one["lines"]).encode() for one in found]


PARSERS = [
    Parser("datagrams", datagrams, lambda: strangers(spoofed), mean_us=40, worst_us=2000, max_bytes=1400),
    Parser("insiders", conversation, insider, mean_us=400, worst_us=2000, max_bytes=1400),
    Parser("records", records, reading(read_record, WireError), mean_us=40, worst_us=2000, max_bytes=1200),
    Parser("claims", claims, reading(read_claim, WireError), mean_us=80, worst_us=2000, max_bytes=1200),
    Parser("lists", lists, reading(read_list, ListRefused), mean_us=80, worst_us=10_000, max_bytes=20_000),
    Parser("texts", texts, reading(read_text), mean_us=200, worst_us=50_000, max_bytes=66_000),
]
