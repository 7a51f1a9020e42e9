from pathlib import Path

import pytest

from freecall.config import TEMPLATE, Config, load_config
from freecall.errors import ConfigError


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text)
    return path


def test_no_file_means_defaults(tmp_path: Path) -> None:
    assert load_config(tmp_path / "config.toml", must_exist=False) == Config()


def test_a_file_that_was_asked_for_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(tmp_path / "config.toml", must_exist=True)


def test_the_template_is_the_defaults_with_and_without_its_comment_signs(tmp_path: Path) -> None:
    assert load_config(written(tmp_path, TEMPLATE), must_exist=True) == Config()
    lines = [
        line[1:] if line.startswith("#") and not line.startswith("# ") else line
        for line in TEMPLATE.splitlines()
    ]
    everything = load_config(written(tmp_path, "\n".join(lines)), must_exist=True)
    assert everything.node.bootstrap == ("192.0.2.1:7350",)
    assert everything.phones == Config().phones
    assert everything.calls == Config().calls
    assert everything.log == Config().log


def test_no_history_is_a_setting(tmp_path: Path) -> None:
    path = written(tmp_path, "[calls]\nhistory_days = 0\n")
    assert load_config(path, must_exist=True).calls.history_days == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[nodes]\n", r"\[nodes\] is no table"),
        ("node = 1\n", "node must be a table"),
        ("[node]\nnmae = 'x'\n", r"\[node\] nmae is not known"),
        ("[node]\nname = 3\n", r"\[node\] name must be a string"),
        ("[node]\nlan = 1\n", r"\[node\] lan must be true or false"),
        ("[node]\nbootstrap = 'x'\n", r"\[node\] bootstrap must be a list"),
        ("[node]\nopenpgp = 'pgp'\n", r"\[node\] openpgp must be one of"),
        ("[calls]\nring_seconds = 0\n", r"\[calls\] ring_seconds must lie between"),
        ("[calls]\nhistory_days = -1\n", r"\[calls\] history_days must lie between 0 and 3600"),
        ("[calls]\nstrangers = 'never'\n", "strangers must be one of 'ring', 'message', 'refuse', 'work'"),
        ("[media]\nthreads = 65\n", r"\[media\] threads must lie between 0 and 64"),
        ("[calls]\nstrangers_per_hour = -1\n", "strangers_per_hour must lie between 0 and"),
        ("[calls]\nring_seconds = true\n", r"\[calls\] ring_seconds must be a whole number"),
        ("[node\n", "not valid TOML"),
    ],
)
def test_a_mistake_is_named_with_file_table_and_key(tmp_path: Path, text: str, sentence: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError, match=sentence) as caught:
        load_config(path, must_exist=True)
    assert str(path) in str(caught.value)


def test_what_is_no_text_is_a_sentence_too(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(path, must_exist=True)
