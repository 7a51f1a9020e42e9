"""Do not disturb and call waiting: kept, bounded, and followed."""

from pathlib import Path

import pytest

from freecall.call_settings import CallSettings, SettingsRefused
from freecall.store import FileStore
from sipgate.ports import LocalUser, Peer, Refusal

BOB = LocalUser("sip:bob@mesh", "bob", "bob", b"", b"", "secret")
ALICE = Peer("sip:alice@mesh", "alice", "verified", "A" * 40, b"", known=True)


def settings(tmp_path: Path) -> tuple[CallSettings, list[tuple[str, dict[str, bool]]]]:
    told: list[tuple[str, dict[str, bool]]] = []
    return CallSettings(
        FileStore(tmp_path / "settings.json"), lambda name, **fields: told.append((name, fields))
    ), told


def test_all_calls_ring_until_the_user_wants_something_else(tmp_path: Path) -> None:
    kept, told = settings(tmp_path)
    kept.before_ringing(BOB, ALICE, 3)
    assert kept.change({"do_not_disturb": True}) == {"do_not_disturb": True, "call_waiting": True}
    assert kept.change({"do_not_disturb": True}) == kept.shown()
    assert told == [("settings_changed", {"do_not_disturb": True, "call_waiting": True})]
    again, _ = settings(tmp_path)
    with pytest.raises(Refusal, match="486 bob does not want to be disturbed now"):
        again.before_ringing(BOB, ALICE, 0)


def test_without_call_waiting_only_a_first_call_rings(tmp_path: Path) -> None:
    kept, _ = settings(tmp_path)
    kept.change({"call_waiting": False})
    kept.before_ringing(BOB, ALICE, 0)
    with pytest.raises(Refusal, match="486 bob is in a call"):
        kept.before_ringing(BOB, ALICE, 1)


@pytest.mark.parametrize("changes", [{"do_not_disturb": "yes"}, {"forward": True}, {"call_waiting": 1}])
def test_what_is_no_setting_changes_nothing(tmp_path: Path, changes: dict[str, object]) -> None:
    kept, told = settings(tmp_path)
    with pytest.raises(SettingsRefused, match="each true or false"):
        kept.change(changes)
    assert told == []
    assert not (tmp_path / "settings.json").exists()


@pytest.mark.parametrize("damaged", ["{", "[]", '{"version": 1}', '{"version": 2}'])
def test_a_damaged_file_is_not_passed_over(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "settings.json").write_text(damaged)
    with pytest.raises(SettingsRefused, match="cannot be read"):
        settings(tmp_path)
