"""`scripts/setup` and `scripts/run` in a small copy of the project: the same scripts, nothing to fetch."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
PUMP, BUILT = Path("media/pump/pump.c"), Path(".venv/lib/freecall/_pump.so")
IS_USABLE = "import sys, venv; sys.exit(sys.version_info < (3, 11))"
NODE = 'import sys\nprint("node", *sys.argv[1:], sep="|")\n'


def make_project(folder: Path) -> Path:
    folder.mkdir(parents=True)
    shutil.copytree(SCRIPTS, folder / "scripts")
    for lock in ("requirements.lock", "requirements-dev.lock"):
        (folder / lock).write_text("# nothing\n")
    (folder / "freecall" / "cli").mkdir(parents=True)
    for package in ("freecall", "freecall/cli"):
        (folder / package / "__init__.py").touch()
    (folder / "freecall" / "cli" / "node.py").write_text(NODE)
    (folder / PUMP).parent.mkdir(parents=True)
    (folder / PUMP).write_text("int pump_version(void) { return 1; }\n")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "it's a folder")


def environment(**extra: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **extra}


def run(
    project: Path, name: str, *arguments: str, cwd: Path | None = None, **extra: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(project / "scripts" / name), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd,
        env=environment(**extra),
    )


def test_the_first_run_sets_up_and_starts_the_node(project: Path, tmp_path: Path) -> None:
    done = run(project, "run", "--name", "a b", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "node|--name|a b\n"
    assert "Setting up Free Call" in done.stderr
    assert "Ready after" in done.stderr


def test_the_second_run_only_starts_the_node(project: Path) -> None:
    run(project, "run")
    started = time.perf_counter()
    done = run(project, "run")
    assert time.perf_counter() - started < 3
    assert (done.stdout, done.stderr) == ("node\n", "")


def test_a_module_in_the_current_folder_does_not_stand_in_for_the_project_s(
    project: Path, tmp_path: Path
) -> None:
    (tmp_path / "freecall.py").write_text("raise SystemExit('the wrong one')")
    run(project, "setup")
    done = run(project, "run", cwd=tmp_path)
    assert done.stdout == "node\n"


def test_it_needs_no_ensurepip_and_no_pip(project: Path, tmp_path: Path) -> None:
    for name in ("ensurepip", "pip"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('not on this machine')")
    done = run(project, "run", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr


def test_a_new_lock_is_installed(project: Path) -> None:
    run(project, "setup")
    (project / "requirements.lock").write_text("# nothing else\n")
    assert "Ready after" in run(project, "setup").stderr
    assert run(project, "setup").stderr == ""


def test_what_the_tests_need_serves_a_node_too(project: Path) -> None:
    assert "Ready after" in run(project, "setup", "--dev").stderr
    assert run(project, "setup").stderr == ""
    assert run(project, "setup", "--dev").stderr == ""


@pytest.mark.skipif(shutil.which("cc") is None, reason="no compiler")
def test_the_pump_is_built_where_there_is_a_compiler(project: Path) -> None:
    assert "was not built" not in run(project, "setup").stderr
    assert (project / BUILT).is_file()
    (project / PUMP).write_text("int pump_version(void) { return 2; }\n")
    os.utime(project / BUILT, (0, 0))
    os.utime(project / f"{BUILT}.log", (0, 0))
    assert run(project, "setup").stderr == ""
    assert (project / BUILT).stat().st_mtime > 0, "newer source, but not built"


@pytest.mark.skipif(shutil.which("cc") is None, reason="no compiler")
def test_a_pump_that_cannot_be_built_is_told_once_and_stops_nothing(project: Path) -> None:
    (project / PUMP).write_text("no C\n")
    first = run(project, "run")
    assert (first.returncode, first.stdout) == (0, "node\n")
    assert "was not built: Python carries it" in first.stderr
    assert run(project, "run").stderr == ""
    (project / PUMP).write_text("int pump_version(void) { return 1; }\n")
    (project / f"{BUILT}.log").unlink()
    assert run(project, "run").stderr == ""
    assert (project / BUILT).is_file()


def test_a_half_made_venv_is_made_anew(project: Path) -> None:
    run(project, "setup")
    (project / ".venv" / ".complete").unlink()
    (project / ".venv" / ".unfinished").touch()
    (project / ".venv" / "leftover").touch()
    done = run(project, "setup")
    assert "unfinished" in done.stderr
    assert not (project / ".venv" / "leftover").exists()
    assert run(project, "run").stdout == "node\n"


@pytest.mark.parametrize("milliseconds", [20, 100, 300])
def test_a_setup_killed_at_any_moment_heals_at_the_next_start(project: Path, milliseconds: int) -> None:
    process = subprocess.Popen(
        [str(project / "scripts" / "setup")],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=environment(),
    )
    try:
        process.wait(milliseconds / 1000)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    done = run(project, "run")
    assert done.stdout == "node\n", done.stderr


def test_two_starts_at_once_both_work(project: Path) -> None:
    command = [str(project / "scripts" / "run")]
    both = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
        )
        for _ in range(2)
    ]
    results = [process.communicate(timeout=60) for process in both]
    assert [stdout for stdout, _ in results] == ["node\n", "node\n"]
    assert sum("Ready after" in stderr for _, stderr in results) == 1


def test_a_moved_folder_is_set_up_again(project: Path, tmp_path: Path) -> None:
    run(project, "setup")
    moved = project.rename(tmp_path / "moved")
    assert run(moved, "run").stdout == "node\n"


def test_a_damaged_wheel_is_never_run(project: Path) -> None:
    (wheel,) = (project / "scripts" / "vendor").glob("pip-*.whl")
    wheel.write_bytes(wheel.read_bytes()[:-1] + b"!")
    done = run(project, "setup")
    assert done.returncode == 1
    assert "is not the file that it should be" in done.stderr
    assert not (project / ".venv").exists()


def test_a_machine_without_a_new_enough_python_is_told_what_to_do(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        (folder / name).write_text("#!/bin/sh\nexit 1\n")
        (folder / name).chmod(0o755)
    done = run(project, "setup", PATH=f"{folder}:/usr/bin:/bin")
    assert done.returncode == 1
    assert "Python 3.11 or later was not found" in done.stderr
    assert "apt install python3" in done.stderr


def test_a_python_built_without_optimisation_gives_way_to_that_of_the_system(
    project: Path, tmp_path: Path
) -> None:
    system = Path("/usr/bin/python3")
    if not system.exists() or subprocess.run([system, "-c", IS_USABLE], check=False).returncode:
        pytest.skip("this system has no Python of its own that is new enough")
    built = tmp_path / "bin" / "python3"
    built.parent.mkdir()
    built.write_text(
        f'#!/bin/sh\ncase $2 in *sysconfig*|venv) exit 1;; esac\nexec {shlex.quote(sys.executable)} "$@"\n'
    )
    built.chmod(0o755)
    path = f"{built.parent}:{os.environ['PATH']}"
    wanted = run(project, "setup", PATH=path, FREECALL_PYTHON=str(built))
    assert "could not make a virtual environment" in wanted.stderr  # it was taken, as it was asked for
    done = run(project, "setup", PATH=path)
    assert done.returncode == 0, done.stderr
    assert (project / ".venv" / "bin" / "python").resolve() == system.resolve()


def test_a_package_that_does_not_match_its_hash_stops_the_setup(project: Path, tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    (wheel,) = (project / "scripts" / "vendor").glob("pip-*.whl")
    shutil.copy(wheel, tmp_path / "wheels")
    version = wheel.name.split("-")[1]
    (project / "requirements.lock").write_text(f"pip=={version} --hash=sha256:{'0' * 64}\n")
    done = run(project, "setup", PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path / "wheels"))
    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert "Setup stopped" in done.stderr
    assert not (project / ".venv" / ".complete").exists()


def test_no_registry_is_named_in_the_scripts() -> None:
    for path in SCRIPTS.rglob("*"):
        if path.is_file() and path.suffix not in (".whl", ".pyc"):
            assert "index-url" not in path.read_text(), path
