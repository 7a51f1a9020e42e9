"""The control API: JSON over HTTP on a Unix socket that only its owner can open."""

import hashlib
import os
import tempfile
from pathlib import Path

MAX_SOCKET_PATH = 100


def socket_path(data: Path) -> Path:
    """Return where the node of this data directory listens for its owner's commands.

    A Unix socket's path has at most 107 bytes; a longer data directory gets a private folder under the
    runtime directory instead, named after a hash of its path.
    """
    direct = data.absolute() / "control.sock"
    if len(os.fsencode(direct)) <= MAX_SOCKET_PATH:
        return direct
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    name = hashlib.sha256(os.fsencode(direct)).hexdigest()[:16]
    return runtime / f"freecall-{os.getuid()}-{name}" / "control.sock"
