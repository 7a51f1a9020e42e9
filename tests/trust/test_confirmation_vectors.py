"""The published OpenPGP signatures over a confirmation: one is taken, all others are refused, by each backend."""

import json
from pathlib import Path
from typing import Any

import pytest

from trust.confirmation import SignatureRefused, statement, verify
from trust.keyring import Keyring

FOLDER = Path(__file__).parents[1] / "vectors" / "confirmation"
VECTORS: list[dict[str, Any]] = json.loads((FOLDER / "signatures.json").read_text(encoding="utf-8"))
SESSION = bytes.fromhex(json.loads((FOLDER / "transcripts.json").read_text(encoding="utf-8"))[0]["H"])


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["what"])
async def test_a_signature_is_taken_or_refused(vector: dict[str, Any], alice: Keyring) -> None:
    assert bytes.fromhex(vector["statement"]) == statement("caller", SESSION)
    signature, key = bytes.fromhex(vector["signature"]), bytes.fromhex(vector["key"])

    async def check() -> None:
        await verify(alice, "caller", SESSION, signature, key=key, fingerprint=vector["fingerprint"])

    if vector["what"] == "good":
        await check()
        return
    with pytest.raises(SignatureRefused):
        await check()


def test_there_is_exactly_one_good_one() -> None:
    assert [vector["what"] for vector in VECTORS].count("good") == 1
