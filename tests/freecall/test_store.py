import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from freecall.errors import DataDirectoryInUse
from freecall.store import DataDirectory, FileStore


def test_what_was_saved_is_loaded_and_private(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "thing")
    assert store.load() is None
    store.save(b"one")
    store.save(b"two")
    assert store.load() == b"two"
    assert (tmp_path / "thing").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["thing"]


def test_what_is_removed_is_gone_and_may_be_removed_again(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "thing")
    store.save(b"one")
    store.remove()
    store.remove()
    assert store.load() is None


def test_a_disk_that_refuses_is_left_without_a_half_written_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    store = FileStore(tmp_path / "thing")
    store.save(b"one")
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space"):
        store.save(b"two")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"one"]


def test_one_node_at_a_time_holds_a_directory(tmp_path: Path) -> None:
    first, second = DataDirectory(tmp_path / "data"), DataDirectory(tmp_path / "data")
    with first, pytest.raises(DataDirectoryInUse, match="--data DIR"), second:
        pass
    with DataDirectory(tmp_path / "data"):
        assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_a_kill_at_any_moment_leaves_old_or_new_never_half(tmp_path: Path) -> None:
    """A writer alternates two large contents as fast as it can; it is killed again and again."""
    writer = """
import sys
from pathlib import Path
from freecall.store import FileStore
store = FileStore(Path(sys.argv[1]))
print("up", flush=True)
while True:
    store.save(b"a" * 200_000)
    store.save(b"b" * 200_000)
"""
    path = tmp_path / "state"
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", writer, str(path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            while not path.exists():
                os.sched_yield()
            for _ in range(200):
                path.stat()
            process.send_signal(signal.SIGKILL)
        content = path.read_bytes()
        assert content in (b"a" * 200_000, b"b" * 200_000)
    with DataDirectory(tmp_path):
        assert not list(tmp_path.glob(".*.new"))
