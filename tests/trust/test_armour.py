"""Armour is read by gpg, whatever the length of what is in it."""

from pathlib import Path

import pytest

from tests.trust.gpg import GpgHome, needs_gpg
from trust.protocol.armour import armoured
from trust.short_signature import read_key


@needs_gpg
def test_gpg_reads_armour_of_any_length(gpg: GpgHome) -> None:
    for name in ("a", "ab", "abc", "abcd"):  # the length of the key follows
        key = gpg.make(name)
        text = armoured(key, "PUBLIC KEY BLOCK")
        assert gpg.run("--dearmor", data=text.encode()) == key
        assert read_key(text.encode()) == key


@needs_gpg
def test_a_detached_signature_in_armour_is_checked_by_plain_gpg(gpg: GpgHome, tmp_path: Path) -> None:
    gpg.make("alice")
    file, signature = tmp_path / "text", tmp_path / "text.asc"
    file.write_bytes(b"said")
    signature.write_text(armoured(gpg.sign("alice", b"said"), "SIGNATURE"))
    gpg.run("--verify", str(signature), str(file))
    file.write_bytes(b"not said")
    with pytest.raises(AssertionError, match="BAD signature"):
        gpg.run("--verify", str(signature), str(file))
