"""`fc-contacts` between real nodes: people added without a call, carried by cards, blocked, forgotten."""

import json
from pathlib import Path

from tests.kit.nodes import ROOT, DataDirectory, Node, command
from tests.kit.process import Outcome, run


async def contacts(data: Path, *arguments: str) -> Outcome:
    """Run `fc-contacts`."""
    return await run(command("contacts", "--data", str(data), *arguments), cwd=ROOT)


async def test_people_are_added_carried_to_another_node_blocked_and_forgotten(tmp_path: Path) -> None:
    cards = tmp_path / "people.vcf"
    with DataDirectory("alice") as alices, DataDirectory("bob") as bobs, DataDirectory("carol") as carols:
        async with Node("alice", alices) as alice, Node("bob", bobs, bootstrap=[alice.mesh_text]) as bob:
            await bob.event("published")
            added = await contacts(alices, "add", "bob@mesh", "--name", "Bob Miller")
            assert added.stdout.startswith("Bob Miller, bob@mesh (key kept)  "), added
            verified = await contacts(alices, "verify", "bob@mesh", "--fingerprint", bob.ready["fingerprint"])
            assert verified.code == 0, verified
            assert (await contacts(alices, "export", str(cards))).code == 0
            own = await contacts(bobs, "card")
            assert own.stdout.startswith("BEGIN:VCARD\r\nVERSION:4.0\r\nFN:bob\r\nIMPP:sip:bob@mesh\r\n")
            assert "█" in (await contacts(bobs, "card", "--qr")).stdout
            blocked = await contacts(alices, "block", "bob@mesh")
            assert blocked.code == 0, blocked
            listed = await contacts(alices)
            assert "Bob Miller, bob@mesh (BLOCKED)" in listed.stdout
        async with Node("carol", carols):
            taken = await contacts(carols, "import", str(cards), "--json")
            assert [(one["name"], one["verified"]) for one in json.loads(taken.stdout)["taken"]] == [
                ("Bob Miller", False)
            ]
            again = await contacts(carols, "import", str(cards))
            assert again.stdout.endswith("1 person taken, 0 not.\n")
            assert (await contacts(carols, "remove", "bob@mesh")).code == 0
            assert "bob" not in (await contacts(carols, "export", "-")).stdout
            nobody = await contacts(carols, "remove", "bob@mesh")
            assert (nobody.code, nobody.stderr) == (1, "bob@mesh is no contact.\n")
