"""Do not disturb, call waiting, forwarding: kept, bounded, and followed."""

from dataclasses import asdict
from pathlib import Path

import pytest

from freecall.call_settings import CallSettings, SettingsRefused, Wanted
from freecall.store import FileStore
from sipgate.call_rules import Forwarded
from sipgate.ports import LocalUser, Peer, Refusal

BOB = LocalUser("sip:bob@mesh", "bob", "bob", b"", b"", "secret")
ALICE = Peer("sip:alice@mesh", "alice", "verified", "A" * 40, b"", known=True)


def settings(tmp_path: Path) -> tuple[CallSettings, list[tuple[str, dict[str, bool]]]]:
    told: list[tuple[str, dict[str, bool]]] = []
    return CallSettings(
        FileStore(tmp_path / "settings.json"), lambda name, **fields: told.append((name, fields)), [BOB.uri]
    ), told


def test_all_calls_ring_until_the_user_wants_something_else(tmp_path: Path) -> None:
    kept, told = settings(tmp_path)
    assert kept.before_ringing(BOB, ALICE, 3) is None
    changed = kept.change({"do_not_disturb": True})
    assert changed == {**asdict(Wanted()), "do_not_disturb": True}
    assert kept.change({"do_not_disturb": True}) == kept.shown()
    assert told == [("settings_changed", changed)]
    again, _ = settings(tmp_path)
    with pytest.raises(Refusal, match="486 bob does not want to be disturbed now"):
        again.before_ringing(BOB, ALICE, 0)


def test_without_call_waiting_only_a_first_call_rings(tmp_path: Path) -> None:
    kept, _ = settings(tmp_path)
    kept.change({"call_waiting": False})
    kept.before_ringing(BOB, ALICE, 0)
    with pytest.raises(Refusal, match="486 bob is in a call"):
        kept.before_ringing(BOB, ALICE, 1)


@pytest.mark.parametrize(
    ("refusal", "has_rung", "to", "why"),
    [
        (Refusal(486, "busy"), False, "busy", "user-busy"),
        (Refusal(486, "busy"), True, "busy", "user-busy"),
        (Refusal(600, "busy"), True, "busy", "user-busy"),
        (Refusal(480, "nobody answered"), True, "answer", "no-answer"),
        (Refusal(480, "no phone is on"), False, "away", "away"),
        (Refusal(603, "declined"), True, "", ""),
        (Refusal(488, "no codec"), True, "", ""),
    ],
)
def test_a_call_that_nobody_took_goes_where_the_user_says(
    tmp_path: Path, refusal: Refusal, has_rung: bool, to: str, why: str
) -> None:
    kept, _ = settings(tmp_path)
    kept.change({"forward_busy": "busy", "forward_no_answer": "answer@mesh", "forward_away": "sip:away@mesh"})
    assert kept.before_ringing(BOB, ALICE, 0) == 20
    heard = kept.instead(BOB, ALICE, refusal, has_rung=has_rung)
    if not to:
        assert heard is refusal
        return
    assert isinstance(heard, Forwarded)
    assert (heard.status, heard.to, heard.why) == (302, f"sip:{to}@mesh", why)
    assert heard.reason == f"bob's calls go to {to}@mesh now"


def test_all_calls_go_on_even_while_the_user_is_not_to_be_disturbed(tmp_path: Path) -> None:
    kept, _ = settings(tmp_path)
    kept.change({"forward_always": "carol", "do_not_disturb": True})
    with pytest.raises(Forwarded, match="302 bob's calls go to carol@mesh now"):
        kept.before_ringing(BOB, ALICE, 0)


def test_who_gets_the_calls_gets_through(tmp_path: Path) -> None:
    kept, _ = settings(tmp_path)
    kept.change({"forward_always": "alice", "forward_no_answer": "alice"})
    assert kept.before_ringing(BOB, ALICE, 0) is None
    busy = Refusal(480, "nobody answered")
    assert kept.instead(BOB, ALICE, busy, has_rung=True) is busy


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"do_not_disturb": "yes"}, "do_not_disturb is either true or false"),
        ({"call_waiting": 1}, "call_waiting is either true or false"),
        ({"forward": True}, "There is no setting forward"),
        ({"forward_busy": True}, "forward_busy is a name such as carol@mesh"),
        ({"forward_busy": "carol@example.org"}, "Calls go to a name such as carol@mesh"),
        ({"forward_busy": "*78"}, "not to a dial code"),
        ({"forward_always": "bob"}, "Your calls come to you already"),
        ({"no_answer_seconds": 4}, "a number from 5 to 120"),
        ({"no_answer_seconds": True}, "a number from 5 to 120"),
        ({"no_answer_seconds": 20.5}, "a number from 5 to 120"),
    ],
)
def test_what_is_no_setting_changes_nothing(tmp_path: Path, changes: dict[str, object], says: str) -> None:
    kept, told = settings(tmp_path)
    with pytest.raises(SettingsRefused, match=says):
        kept.change(changes)
    assert told == []
    assert not (tmp_path / "settings.json").exists()


def test_a_file_from_before_there_was_forwarding_is_read(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"version": 1, "do_not_disturb": true, "call_waiting": false}')
    kept, _ = settings(tmp_path)
    assert kept.shown() == {**asdict(Wanted()), "do_not_disturb": True, "call_waiting": False}


@pytest.mark.parametrize(
    "damaged", ["{", "[]", '{"call_waiting": true}', '{"version": 2}', '{"version": 1, "x": 1}']
)
def test_a_damaged_file_is_not_passed_over(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "settings.json").write_text(damaged)
    with pytest.raises(SettingsRefused, match="cannot be read"):
        settings(tmp_path)
