"""Whose key is whose, between real nodes: an own GnuPG key with a passphrase, introductions, `fc-trust`."""

import sys

import pytest

from tests.kit.nodes import ROOT, DataDirectory, Node, command, fc_trust
from tests.kit.process import run
from tests.trust.agent import PersonsGpg
from tests.trust.gpg import needs_gpg

ECHO = ["--answer-with", "echo"]
CALL = ["--seconds", "0.3"]


@pytest.mark.long
@needs_gpg
@pytest.mark.parametrize("kind", ["ed25519", "rsa3072"])
async def test_a_key_with_a_passphrase_calls_and_is_called_after_one_prompt_and_its_keyring_counts(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    with PersonsGpg() as person, DataDirectory("bob") as bobs, DataDirectory("alice") as alices:
        fingerprint = person.make_locked("Bob <bob@example.org>", kind=kind)
        with monkeypatch.context() as patched:
            patched.setenv("GNUPGHOME", str(person.home))
            bob = Node("bob", bobs, arguments=["--openpgp-key", fingerprint, *ECHO])
            await bob.__aenter__()
        try:
            assert bob.ready["fingerprint"] == fingerprint
            await _calls_both_ways(bob, Node("alice", alices, bootstrap=[bob.mesh_text], arguments=ECHO))
            shown = await fc_trust("alice@mesh", data=bobs)
            assert shown.code == 0
            assert shown.json["trust"] == "pinned"
            assert "Your GnuPG keyring does not have this key." in [
                step["text"] for step in shown.json["why"]
            ]
            key = str((await fc_trust("key", data=bobs)).json["key"])
        finally:
            await bob.__aexit__(*sys.exc_info())
        assert len(person.asked) == 1
        assert (
            f"fpr:::::::::{fingerprint}:"
            in person.run("--show-keys", "--with-colons", data=key.encode()).decode()
        )


async def _calls_both_ways(bob: Node, caller: Node) -> None:
    async with caller as alice:
        await alice.event("joined")
        await alice.event("published")
        for caller, name, trust in (
            (alice, "bob", "new"),
            (alice, "bob", "pinned"),
            (bob, "alice", "pinned"),
        ):
            answer = await caller.call(f"{name}@mesh", *CALL)
            assert answer.json["signed"] is True, answer
            assert answer.json["trust"] == trust


@pytest.mark.long
async def test_carol_sees_by_whom_bob_is_introduced_before_their_first_call() -> None:
    with DataDirectory("a") as alices, DataDirectory("b") as bobs, DataDirectory("c") as carols:
        async with (
            Node("bob", bobs, arguments=ECHO) as bob,
            Node("alice", alices, bootstrap=[bob.mesh_text]) as alice,
            Node("carol", carols, bootstrap=[bob.mesh_text], arguments=ECHO) as carol,
        ):
            for node in (alice, carol):
                await node.event("joined")
                await node.event("published")
            stranger = await fc_trust("bob@mesh", data=carols)
            assert (stranger.code, stranger.json["trust"]) == (5, "new")
            early = await fc_trust("introduce", "bob@mesh", "--to", "carol@mesh", data=alices)
            assert early.code == 1
            assert "You do not know bob@mesh yet: call them first." in early.outcome.stderr
            for name in ("bob@mesh", "carol@mesh"):
                assert (await alice.call(name, *CALL)).json["signed"] is True
            wrong = await fc_trust("verify", "bob@mesh", "--words", "four other words here", data=alices)
            assert wrong.code == 1
            assert "These are not the words of your last call with bob@mesh" in wrong.outcome.stderr
            secured = next(
                event for event in alice.journal.all if event.get("peer") == bob.uri and "words" in event
            )
            heard = " ".join(secured["words"]).upper()
            assert (await fc_trust("verify", "bob@mesh", "--words", heard, data=alices)).code == 0
            card = alices / "card.txt"
            made = await fc_trust(
                "introduce", "bob@mesh", "--to", "carol@mesh", "--output", str(card), data=alices
            )
            assert made.code == 0
            taken = await fc_trust("import", str(card), data=carols)
            assert taken.json["introducer"] == "sip:alice@mesh"
            assert taken.json["verified"] is True
            again = await fc_trust("import", str(card), data=bobs)
            assert again.code == 1
            assert "made for carol@mesh, whose key is not yours" in again.outcome.stderr
            shown = await fc_trust("bob@mesh", data=carols)
            assert (shown.code, shown.json["trust"]) == (0, "introduced")
            assert shown.json["introduced_by"] == ["sip:alice@mesh"]
            called = await carol.call("bob@mesh", *CALL)
            assert (called.json["trust"], called.json["signed"]) == ("introduced", True)
            started = await carol.event("call_started", direction="out")
            assert started["introduced_by"] == ["sip:alice@mesh"]
            assert (await fc_trust("bob@mesh", data=carols)).json["trust"] == "pinned"


async def test_what_is_typed_wrong_is_told_by_sentence_and_status() -> None:
    with DataDirectory("nobody") as data:
        for words, code, sentence in (
            (["bob@mesh"], 3, "No node runs on"),
            (["import", "/does/not/exist"], 2, "cannot be read"),
            (["introduce", "bob@mesh"], 2, "--to"),
            ([], 2, "NAME | COMMAND"),
        ):
            outcome = await run(command("trust", "--data", str(data), *words), cwd=ROOT, timeout=20)
            assert outcome.code == code, outcome
            assert sentence in outcome.stderr


async def test_the_qr_code_shows_the_fingerprint_that_others_verify_by() -> None:
    with DataDirectory("alice") as alices:
        async with Node("alice", alices) as alice:
            shown = await run(command("trust", "--data", str(alices), "key", "--qr"), cwd=ROOT, timeout=20)
            plain = await run(command("trust", "--data", str(alices), "key"), cwd=ROOT, timeout=20)
        assert shown.code == plain.code == 0
        assert shown.stdout.splitlines()[-1].replace(" ", "") == alice.ready["fingerprint"]
        assert len(shown.stdout.splitlines()) > 10
        assert plain.stdout.startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----")
