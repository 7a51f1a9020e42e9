"""Receipts between real nodes: only where both want them, and plain gpg checks them."""

from pathlib import Path

import pytest

from tests.kit.nodes import DataDirectory, Node
from tests.trust.gpg import GpgHome, needs_gpg

pytestmark = [pytest.mark.interop, needs_gpg]


@pytest.mark.parametrize("wanted_by_bob", [True, pytest.param(False, marks=pytest.mark.long)])
async def test_a_receipt_needs_both_and_plain_gpg_checks_it(tmp_path: Path, wanted_by_bob: bool) -> None:
    with DataDirectory("alice") as alices, DataDirectory("bob") as bobs:
        (alices / "config.toml").write_text("[calls]\nreceipts = true\n")
        (bobs / "config.toml").write_text(f"[calls]\nreceipts = {str(wanted_by_bob).lower()}\n")
        async with (
            Node("bob", bobs, arguments=["--answer-with", "echo"]) as bob,
            Node("alice", alices, bootstrap=[bob.mesh_text]) as alice,
        ):
            await alice.event("joined")
            await alice.event("published")
            assert (await alice.call("bob@mesh", "--seconds", "0.3")).json["signed"]
            if wanted_by_bob:
                for node, other in ((alice, bob), (bob, alice)):
                    kept = await node.event("receipt_kept")
                    assert kept["peer"] == other.uri
                    assert signer(Path(kept["file"]), tmp_path / node.name) == other.ready["fingerprint"]
            else:
                await bob.call("alice@mesh", "--seconds", "0.3")
            assert not [
                event for node in (alice, bob) for event in node.journal.all if "message" in event["event"]
            ]
        for data in (alices, bobs):
            files = sorted(data.glob("receipts/*"))
            assert len(files) == (3 if wanted_by_bob else 0)
            assert all(file.stat().st_mode & 0o077 == 0 for file in files)


def signer(file: Path, home: Path) -> str:
    """Import the key beside a receipt, check the receipt, and return whose gpg says it is."""
    with GpgHome(home) as gpg:
        gpg.run("--import", str(file.with_suffix(".key.asc")))
        said = gpg.run("--status-fd", "1", "--verify", f"{file}.asc", str(file)).decode()
    return said.partition("VALIDSIG")[2].splitlines()[0].split()[-1]
