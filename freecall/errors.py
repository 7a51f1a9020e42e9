"""What can go wrong for the person who starts a node. Each message says what happened and what to do next."""

from pathlib import Path


class FreeCallError(Exception):
    """A failure that the user can do something about: its text is shown as it is, without a traceback."""


def reason(error: Exception) -> str:
    """Return what the system says went wrong, without error numbers."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


class ConfigError(FreeCallError):
    """The configuration cannot be used: names the file, the table and the key."""


class DataDirectoryInUse(FreeCallError):
    """Another node runs on the same data directory."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"A node already runs on {path}. Stop it first, or give this one a folder of its own with --data DIR."
        )


class DataDirectoryUnusable(FreeCallError):
    """The data directory cannot be made or written to."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} cannot be used ({why}). Choose another folder with --data DIR.")


class NoFreePort(FreeCallError):
    """None of the ports tried could be bound."""


class NotAMeshUri(FreeCallError):
    """What was typed is no mesh address."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is no mesh address. Write it as bob@mesh or sip:bob@mesh.")
