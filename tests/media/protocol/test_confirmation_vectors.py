"""The published vectors and the drawn table: what they say is what the code computes and does."""

import hashlib
import hmac
import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from media.protocol import confirmation
from media.protocol.confirmation import Input, State
from media.protocol.confirmation_messages import Kind, Message

ROOT = Path(__file__).parents[3]
MAKER = runpy.run_path(str(ROOT / "scripts" / "make_confirmation_vectors.py"), run_name="maker")
PAGE = ROOT / "docs" / "protocol" / "media.md"
MESSAGES = ("COMMIT", "NONCE", "REVEAL", "SIGNATURE", "DONE")


def vectors(name: str) -> list[dict[str, Any]]:
    """Read one file."""
    read: list[dict[str, Any]] = json.loads((MAKER["FOLDER"] / f"{name}.json").read_text(encoding="utf-8"))
    return read


def lp(*parts: bytes) -> bytes:
    """Prefix each part with its length, from the page and not from the code."""
    return b"".join(len(part).to_bytes(4) + part for part in parts)


@pytest.mark.parametrize("maker", MAKER["FILES"], ids=lambda maker: maker.__name__)
def test_the_files_are_what_the_code_makes(maker: Any) -> None:
    made = [MAKER["plain"](vector) for vector in maker()]
    assert vectors(maker.__name__) == json.loads(json.dumps(made))


@pytest.mark.parametrize("vector", vectors("transcripts"), ids=lambda vector: vector["what"])
def test_a_call_gives_what_the_page_says(vector: dict[str, Any]) -> None:
    def of(name: str) -> bytes:
        return bytes.fromhex(vector[name])

    parts = [bytes.fromhex(part) for part in vector["context"].values()]
    ctx = hashlib.sha256(lp(b"freecall-confirm-1", *parts)).digest()
    digest = hashlib.sha256(lp(b"T", ctx, of("exported")[:32])).digest()
    nonces = of("caller_nonce"), of("callee_nonce")
    session = hashlib.sha256(lp(b"session", digest, *nonces)).digest()
    assert (ctx, digest, session) == (of("ctx"), of("T"), of("H"))
    assert of("commit") == hashlib.sha256(lp(b"commit", digest, nonces[0])).digest()
    assert of("sas") == hmac.digest(of("exported")[32:], lp(b"sas", digest, *nonces), "sha256")[:4]
    for role in ("caller", "callee"):
        assert of(f"statement_of_{role}") == lp(b"freecall-confirmation-1", role.encode(), session)


@pytest.mark.parametrize(
    "vector", vectors("continuity"), ids=lambda vector: f"{vector['what']}, {vector['role']}"
)
def test_the_secret_of_a_call_is_shown_in_the_next_as_the_page_says(vector: dict[str, Any]) -> None:
    first = vectors("transcripts")[0]
    key, digest, session = (bytes.fromhex(first[name]) for name in ("K", "T", "H"))
    kept = hmac.digest(key, lp(b"retained", digest, session), "sha256")
    assert kept.hex() == first["r"]
    assert vector["secrets"][:1] in ([kept.hex()], [])
    said = lp(b"freecall-continuity-1", vector["role"].encode(), bytes.fromhex(vector["H"]))
    tags = b"".join(hmac.digest(bytes.fromhex(each), said, "sha256")[:16] for each in vector["secrets"])
    seen = b"\1" if len(vector["secrets"]) == 2 else b"\0"
    body = (seen + tags + bytes.fromhex(vector["filler"]))[:33]
    assert bytes.fromhex(vector["record"]) == b"\1\6\0\x21" + body


def test_whatever_differs_in_a_call_gives_other_words_and_another_hash() -> None:
    made = vectors("transcripts")
    for name in ("T", "commit", "sas", "H"):
        assert len({vector[name] for vector in made}) == len(made)


@pytest.mark.parametrize("vector", vectors("refused"), ids=lambda vector: vector["why"])
def test_a_malformed_record_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Message.parse(bytes.fromhex(vector["record"]))


@pytest.mark.parametrize("vector", vectors("messages"))
def test_a_message_is_read_as_it_is_written(vector: dict[str, Any]) -> None:
    assert Message.parse(bytes.fromhex(vector["record"])) == Message(
        Kind[vector["kind"]], bytes.fromhex(vector["body"])
    )


def test_the_walks_come_through_every_cell_that_a_peer_can_reach() -> None:
    walked = set()
    for walk in vectors("walks"):
        state = "IDLE" if walk["role"] == "caller" else "LISTENING"
        for step in walk["steps"]:
            walked.add((state, step["input"]))
            state = step["state"]
    cells = {(state.name, message) for state in State if state is not State.FAILED for message in MESSAGES}
    assert cells <= walked
    assert {(state.name, given.name) for state, given in confirmation._STEPS} <= walked


def drawn() -> dict[tuple[State, str], str]:
    """Read the table of states from the page."""
    text = PAGE.read_text(encoding="utf-8")
    begin = text.index("| state | COMMIT |")
    rows = [row.strip("|").split("|") for row in text[begin : text.index("\n\n", begin)].splitlines()[2:]]
    cells: dict[tuple[State, str], str] = {}
    for row in rows:
        state = State[re.match(r"\w+", row[0].strip())[0]]  # type: ignore[index]
        columns = (*MESSAGES, "SIGNED", "VERIFIED")
        cells |= {(state, name): cell.strip() for name, cell in zip(columns, row[1:], strict=True)}
    return cells


def test_the_table_on_the_page_is_the_one_that_runs() -> None:
    table = drawn()
    assert {state for state, _ in table} == set(State) - {State.FAILED}
    for (state, name), cell in table.items():
        step = confirmation._STEPS.get((state, Input[name]))
        if step is None:
            assert cell in ("✗", ""), (state, name)
            continue
        after = re.search(r"→ ([A-Z]+)", cell)
        assert cell not in ("✗", ""), (state, name)
        assert (State[after[1]] if after else state) is step[0], (state, name)
