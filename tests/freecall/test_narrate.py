from typing import Any

import pytest

from freecall.events import Event
from freecall.narrate import Narrator, as_text, spaced, welcome

SECURED: dict[str, Any] = {
    "call": "1",
    "peer": "sip:bob@mesh",
    "fingerprint": "AB12" * 10,
    "trust": "new",
    "words": ["one", "two", "three", "four"],
    "signed": True,
    "pinned": True,
}


def told(*events: tuple[str, dict[str, Any]]) -> str:
    lines: list[str] = []
    narrator = Narrator(lines.append)
    for name, fields in events:
        narrator(Event(name, 0.0, fields))
    return "\n".join(lines)


def test_a_call_is_told_from_dialling_to_the_end() -> None:
    started = {
        "call": "1",
        "direction": "out",
        "peer": "sip:bob@mesh",
        "display": "bob",
        "trust": "new",
        "call_id": "x",
        "anonymous": False,
    }
    ended = {"call": "1", "peer": "sip:bob@mesh", "by": "peer", "reason": "", "status": 200}
    text = told(
        ("call_started", started),
        ("call_answered", {"call": "1"}),
        ("call_secured", SECURED),
        ("call_ended", ended),
    )
    assert "Calling bob@mesh (new person)" in text
    assert "Answered: bob@mesh" in text
    assert "signed by the pinned key" in text
    assert "one two three four" in text
    assert "Compare these words" in text
    assert "the other side hung up" in text


def test_a_missing_signature_is_shouted() -> None:
    assert "NOT SIGNED" in told(("call_secured", {**SECURED, "signed": False}))


def test_nobody_compares_words_with_an_old_friend() -> None:
    assert "Compare" not in told(("call_secured", {**SECURED, "trust": "pinned"}))


def test_events_for_programs_are_silent() -> None:
    assert told(("call_media", {"call": "1", "setup_ms": 3.0}), ("something_new", {})) == ""


def test_evidence_names_a_conflict_in_capitals() -> None:
    evidence = {
        "uri": "sip:bob@mesh",
        "found": True,
        "conflict": True,
        "pinned_fingerprint": "CD34" * 10,
        "asked": 3,
        "elapsed_ms": 4.2,
        "claims": [
            {
                "fingerprint": "AB12" * 10,
                "trust": "conflict",
                "node_id": "00",
                "node_public_key": "00",
                "endpoints": [],
                "verified_delegation": True,
                "problem": None,
                "copies": 1,
            }
        ],
    }
    text = as_text(evidence)
    assert "KEY CHANGED" in text
    assert "CONFLICT" in text
    assert spaced("CD34" * 10) in text
    assert "Nobody on the mesh" in as_text({**evidence, "claims": [], "conflict": False, "found": False})


def test_being_cut_off_is_told_from_being_alone_and_who_cannot_be_reached_learns_why() -> None:
    alone = told(("isolated", {"reason": "alone"}))
    cut_off = told(("isolated", {"reason": "not found"}))
    assert "no other node found yet" in alone
    assert "nobody can call you" in cut_off
    assert "cannot reach" in told(("reachability", {"reachable": False, "seen_as": "45.0.0.1:7350"}))
    assert "45.0.0.1:7350" in told(("reachability", {"reachable": True, "seen_as": "45.0.0.1:7350"}))


def test_a_person_reads_who_they_are_and_whether_they_are_unlisted() -> None:
    address = "bob+q7k3m5x2p4r6t7v2@mesh"
    ready: dict[str, Any] = {
        "version": "1",
        "unlisted": True,
        "uri": f"sip:{address}",
        "self_certifying_uri": "sip:bob+q7k3m5x2p4r6t7v2@mfrggzdfmztwq2lkmfrggzdfmztwq2lk.mesh",
        "fingerprint": "AB12" * 10,
        "sip": {"address": "127.0.0.1:5060", "username": "bob", "domain": "mesh", "secret": "x"},
        "provisioning": {},
        "mesh": ["192.0.2.1:7350"],
        "networks": [{"name": "public", "private": False}],
        "data": "/home/bob",
    }
    assert f"You are     {address}" in welcome(ready)
    assert "only who has the whole address finds you" in welcome(ready)
    assert "whole address" not in welcome({**ready, "unlisted": False})


def test_a_transfer_says_who_sent_whom() -> None:
    sent = {"call": "x", "into": "", "by": "sip:alice@mesh", "whom": "sip:bob@mesh", "to": "sip:carol@mesh"}
    for part, words in (
        ("transferor", "You sent bob@mesh on to carol@mesh"),
        ("transferee", "alice@mesh sent you on to carol@mesh"),
        ("target", "alice@mesh sent bob@mesh on to you"),
    ):
        assert words in told(("call_transferred", {**sent, "part": part}))


def test_a_missed_call_says_who_it_was_and_how_well_known() -> None:
    missed = {
        "call_id": "x",
        "user": "alice",
        "peer": "sip:bob@mesh",
        "display": "bob",
        "trust": "pinned",
    }
    assert "Missed: bob@mesh (same key as before)" in told(("call_missed", missed))


def test_a_call_names_those_who_introduced_the_other() -> None:
    fields = {
        "call": "1",
        "direction": "in",
        "peer": "sip:bob@mesh",
        "trust": "introduced",
        "introduced_by": ["sip:alice@mesh", "sip:carol@mesh"],
    }
    kept = {"call": "1", "peer": "sip:bob@mesh", "file": "/x.txt"}
    text = told(("call_started", fields), ("receipt_kept", kept))
    assert "bob@mesh is calling (introduced by alice@mesh and carol@mesh)" in text
    assert "Receipt from bob@mesh: /x.txt" in text


@pytest.mark.parametrize(("mos", "word"), [(4.4, "good"), (3.7, "fair"), (3.2, "poor"), (1.0, "bad")])
def test_how_a_call_sounded_is_said_once_at_the_end(mos: float, word: str) -> None:
    figures = {"call": "1", "received": 90, "lost": 10, "mos": mos}
    assert told(("call_quality", {**figures, "final": False})) == ""
    assert f"The sound of that call was {word} (10.0 % lost)" in told(
        ("call_quality", {**figures, "final": True})
    )


def test_sound_that_does_not_get_there_is_said_and_when_it_does_again() -> None:
    def heard(they: str, you: str) -> tuple[str, dict[str, Any]]:
        return "call_hearing", {"call": "1", "they_hear_you": they, "you_hear_them": you}

    started = ("call_started", {"call": "1", "peer": "sip:bob@mesh", "direction": "out", "trust": "pinned"})
    text = told(started, heard("yes", "yes"), heard("silent", "yes"))
    assert "sound" not in text.lower()
    text = told(started, heard("no", "yes"), heard("silent", "yes"), heard("yes", "yes"), heard("yes", "yes"))
    assert text.count("No sound: bob@mesh does not hear you\n") == 1
    assert text.count("Sound again: bob@mesh and you hear each other") == 1
    assert "bob@mesh does not hear you and you do not hear bob@mesh" in told(started, heard("no", "no"))


def test_how_the_phones_secure_themselves_is_said_as_it_is() -> None:
    def secured(by: str) -> str:
        started = (
            "call_started",
            {"call": "1", "peer": "sip:bob@mesh", "direction": "out", "trust": "pinned"},
        )
        return told(started, ("phones_secure_themselves", {"call": "1", "by": by}))

    assert "(ZRTP): bob@mesh. Compare what the phones show." in secured("ZRTP")
    assert "(SRTP): bob@mesh. The nodes pass it on as it is; both know the keys." in secured("SRTP")
    assert "ends at the nodes again: bob@mesh" in secured("")


def test_calls_without_a_name_are_told_as_such() -> None:
    common = {"call": "1", "display": "", "call_id": "x", "introduced_by": [], "anonymous": True}
    nobody = {**common, "direction": "in", "peer": "sip:anonymous@anonymous.invalid", "trust": "anonymous"}
    assert "anonymous is calling (does not say who)" in told(("call_started", nobody))
    ours = {**common, "direction": "out", "peer": "sip:bob@mesh", "trust": "pinned"}
    assert "Calling bob@mesh (same key as before), who is not told that it is you" in told(
        ("call_started", ours)
    )
    secured = told(
        ("call_started", nobody), ("call_secured", {**SECURED, "trust": "anonymous", "pinned": False})
    )
    assert "signed, and the key is not kept" in secured
    assert "Compare these words" in secured
    missed = told(("call_missed", {"peer": nobody["peer"], "trust": "anonymous"}))
    assert "Missed: anonymous (does not say who)" in missed


def test_a_path_that_is_lost_is_said_and_what_becomes_of_it() -> None:
    def path(state: str, **more: int) -> tuple[str, dict[str, Any]]:
        return "call_path", {"call": "1", "state": state, **more}

    started = ("call_started", {"call": "1", "peer": "sip:bob@mesh", "direction": "out", "trust": "pinned"})
    lost, _, restored = told(
        started, path("lost"), path("repairing"), path("restored", gap_ms=3240)
    ).splitlines()[-3:]
    assert "Nothing arrives from bob@mesh any more: looking for another way" in lost
    assert "Connected to bob@mesh again, after 3.2 s without sound" in restored
