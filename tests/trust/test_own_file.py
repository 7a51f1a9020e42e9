"""Small files that are replaced in one step."""

import stat
from pathlib import Path

import pytest

from trust.own_file import OwnFile


def test_nothing_is_there_before_the_first_save(tmp_path: Path) -> None:
    assert OwnFile(tmp_path / "x").load() is None


def test_a_save_replaces_all_and_leaves_nothing_beside(tmp_path: Path) -> None:
    file = OwnFile(tmp_path / "x")
    file.save(b"a long first value")
    file.save(b"short")
    assert file.load() == b"short"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_a_failed_save_leaves_the_old_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = OwnFile(tmp_path / "x")
    file.save(b"old")

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        file.save(b"new")
    assert file.load() == b"old"
