"""A short way to a deep folder: gpg's agent has a socket in its home, and socket paths end at 107 bytes."""

import os
import tempfile
from pathlib import Path

MAX_HOME_BYTES = 80


class ShortHome:
    """``path`` leads to ``home`` and is short enough for gpg: itself, or a link in a private folder."""

    def __init__(self, home: Path) -> None:
        self._link: Path | None = None
        self.path = home
        if len(os.fsencode(home)) > MAX_HOME_BYTES:
            self._link = Path(tempfile.mkdtemp(prefix="fc-")) / "g"
            self._link.symlink_to(home)
            self.path = self._link

    def close(self) -> None:
        """Remove the link, if one was made."""
        if self._link is not None:
            self._link.unlink(missing_ok=True)
            self._link.parent.rmdir()
            self._link = None
