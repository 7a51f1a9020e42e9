"""Configuration: defaults need no file, a TOML file overrides them, the command line overrides both."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import platformdirs

from .errors import ConfigError, reason

MESH_PORT = 7350
SIP_PORT = 5060
SIP_TLS_PORT = 5061


def default_data_directory() -> Path:
    """Return where a user's node keeps its state (XDG data directory on Linux)."""
    return Path(platformdirs.user_data_dir("freecall", appauthor=False))


@dataclass(frozen=True)
class NodeConfig:
    """Who this node is and how it meets others."""

    name: str = ""
    unlisted: bool = False
    listen: str = ""
    bootstrap: tuple[str, ...] = ()
    bootstrap_list: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    lan: bool = True
    openpgp: str = "auto"
    openpgp_key: str = ""


@dataclass(frozen=True)
class PhonesConfig:
    """Where phones register, and how they prove themselves."""

    sip: str = ""
    lan: str = ""
    secret_file: str = ""
    algorithms: tuple[str, ...] = ("MD5",)
    browser: bool = False


@dataclass(frozen=True)
class CallsConfig:
    """How calls are answered."""

    ring_seconds: int = 180
    answer_with: str = ""
    show_busy: bool = False
    history_days: int = 30
    receipts: bool = False
    strangers: str = "ring"
    strangers_per_hour: int = 3
    anonymous: str = "stranger"
    plain_domains: bool = False
    plain_domains_private: bool = False


@dataclass(frozen=True)
class MessagesConfig:
    """What becomes of messages that nobody takes at once."""

    keep_days: int = 7


@dataclass(frozen=True)
class MediaConfig:
    """Who carries the sound of calls."""

    threads: int = 1


@dataclass(frozen=True)
class LogConfig:
    """What the log on standard error tells."""

    level: str = "warning"
    personal: bool = False


@dataclass(frozen=True)
class Config:
    """The whole configuration of a node."""

    node: NodeConfig = field(default_factory=NodeConfig)
    phones: PhonesConfig = field(default_factory=PhonesConfig)
    calls: CallsConfig = field(default_factory=CallsConfig)
    messages: MessagesConfig = field(default_factory=MessagesConfig)
    media: MediaConfig = field(default_factory=MediaConfig)
    log: LogConfig = field(default_factory=LogConfig)


CHOICES: dict[str, tuple[str, ...]] = {
    "openpgp": ("auto", "gnupg", "sequoia"),
    "answer_with": ("", "echo"),
    "strangers": ("ring", "message", "refuse", "work"),
    "anonymous": ("stranger", "ring", "refuse", "work"),
    "level": ("debug", "info", "warning", "error"),
}

MAY_BE_ZERO = frozenset({"history_days", "strangers_per_hour", "threads"})
AT_MOST = {"threads": 64}

TEMPLATE = f"""\
# Free Call. Each line shows the default; take the # away to change it.

[node]
# Your name on the mesh: name@mesh. Default: the login name.
#name = ""
# Be found only by those who have your whole address, name+SECRET@mesh; the secret is drawn once.
# Once true it stays: to be listed again, also remove the file unlisted.secret.
#unlisted = false
# Mesh address, HOST:PORT (UDP for the directory, TCP for calls).
# Default: all addresses, port {MESH_PORT} or the next free one.
#listen = ""
# Nodes to join through, beside those remembered and those on the same LAN.
#bootstrap = ["192.0.2.1:{MESH_PORT}"]
# Bootstrap lists to take at each start: files or URLs (see fc-bootstrap).
#bootstrap_list = ["/etc/freecall/nodes.fclist", "https://example.org/nodes.fclist"]
# The networks to take part in, by the names of their lists; "public" is the one without a key.
# Default: the private ones whose lists were imported, else the public one.
#networks = ["public"]
# Look for nodes on the same LAN (DNS-SD).
#lan = true
# Where your OpenPGP key lives: "gnupg" (needs gpg), "sequoia" (built in), "auto" (gnupg if there).
#openpgp = "auto"
# Be known by a key of your own GnuPG keyring: its fingerprint, or a part of its user id. Default: a key made for calls.
#openpgp_key = ""

[phones]
# Where phones register, HOST:PORT. Default: 127.0.0.1, port {SIP_PORT} or the next free one.
#sip = ""
# Where paired phones on the LAN register over TLS (fc-devices), HOST:PORT; closed until one is paired.
# Default: all addresses, port {SIP_TLS_PORT} or the next free one.
#lan = ""
# A file whose first line is the phones' password. Default: a random one, shown at start.
#secret_file = ""
# Digest algorithms offered to phones. Some phones fail when SHA-256 is in the list.
#algorithms = ["MD5"]
# Serve a page on 127.0.0.1 that makes this computer's browser a phone; its address is shown at start.
#browser = false

[calls]
# How long a phone rings before the caller hears that nobody answers.
#ring_seconds = 180
# Answer your own calls with a service instead of a phone: "echo" (for test nodes).
#answer_with = ""
# Let people you know see on their phones that you are in a call, not only that you can be called.
#show_busy = false
# How many days your history of calls reaches back (fc-calls history); 0 keeps none.
#history_days = 30
# Exchange signed receipts of calls with people who want them too; they lie in receipts/.
#receipts = false
# People you have not talked to: "ring", "message" (they are told to write), "refuse",
# "work" (their node has to work for some time before it rings: too dear for who calls thousands).
#strangers = "ring"
# How many of their calls ring in an hour, in all; of one person or one network one less.
#strangers_per_hour = 3
# People who call without saying who they are: "stranger" (as strangers), or their own rule: "ring", "refuse", "work".
# Whether your own calls show your name: fc-calls settings --anonymous.
#anonymous = "stranger"
# Let your phones call SIP addresses outside of the mesh, sip:carol@example.org. Nothing of such a call is encrypted
# on the way of the sound, and nobody proves who they are; phones and events say so.
#plain_domains = false
# Also where the domain lies on this computer or its own network, such as a PBX of your own.
#plain_domains_private = false

[messages]
# How many days a message waits, encrypted, for somebody who is away.
#keep_days = 7

[media]
# Threads that carry the sound of calls: one is enough for hundreds, and can use one core.
# 0: none, Python does, as it does wherever the pump was not built (see docs/operate.md).
#threads = 1

[log]
# debug, info, warning or error.
#level = "warning"
# Write names, addresses and keys into the log.
#personal = false
"""


def load_config(path: Path, *, must_exist: bool) -> Config:
    """Read ``path`` over the defaults.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or a table, key or value is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if must_exist:
            raise ConfigError(f"{path} does not exist. Make one with fc-node --write-config.") from None
        return Config()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({reason(error)}).") from error
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error
    return _read_tables(path, tables)


def _read_tables(path: Path, tables: Mapping[str, Any]) -> Config:
    config = Config()
    known = {f.name for f in fields(Config)}
    for table, values in tables.items():
        if table not in known:
            raise ConfigError(
                f"{path}: [{table}] is no table of this file. Tables: {', '.join(sorted(known))}."
            )
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: {table} must be a table, written as [{table}].")
        section = getattr(config, table)
        config = replace(config, **{table: _read_table(path, table, section, values)})
    return config


def _read_table(path: Path, table: str, section: Any, values: Mapping[str, Any]) -> Any:
    known = {f.name for f in fields(section)}
    checked: dict[str, Any] = {}
    for key, value in values.items():
        where = f"{path}: [{table}] {key}"
        if key not in known:
            raise ConfigError(f"{where} is not known. Keys of [{table}]: {', '.join(sorted(known))}.")
        checked[key] = _check_value(where, key, value, getattr(section, key))
    return replace(section, **checked)


def _check_value(where: str, key: str, value: Any, default: Any) -> Any:
    if isinstance(default, tuple):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ConfigError(
                f"{where} must be a list of strings, such as {list(default) or ['one', 'two']}."
            )
        return tuple(value)
    if type(value) is not type(default):
        words = {bool: "true or false", int: "a whole number", str: "a string in quotes"}
        raise ConfigError(f"{where} must be {words[type(default)]}, not {value!r}.")
    if key in CHOICES and value not in CHOICES[key]:
        raise ConfigError(
            f"{where} must be one of {', '.join(repr(c) for c in CHOICES[key])}, not {value!r}."
        )
    least = 0 if key in MAY_BE_ZERO else 1
    most = AT_MOST.get(key, 3600)
    if isinstance(value, int) and not isinstance(value, bool) and not least <= value <= most:
        raise ConfigError(f"{where} must lie between {least} and {most}, not {value}.")
    return value
