"""A person's own GnuPG home with a passphrase, and a pinentry that types it and counts how often it was asked."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.trust.gpg import GpgHome

PASSPHRASE = "correct horse"
PINENTRY = """\
#!/bin/sh
echo "OK ready"
while read -r command rest; do
  case "$command" in
    SETDESC) echo "$rest" >> "$HERE/asked"; echo OK;;
    GETPIN) if [ -e "$HERE/declines" ]; then echo "ERR 83886179 canceled"; else echo "D $WORD"; echo OK; fi;;
    BYE) echo OK; exit 0;;
    *) echo OK;;
  esac
done
"""


class PersonsGpg(GpgHome):
    """A home as people have it; its path is short, for the agent's socket."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fc-gpg-"))
        super().__init__(self.folder / "home")
        pinentry = self.folder / "pinentry"
        pinentry.write_text(PINENTRY.replace("$HERE", str(self.folder)).replace("$WORD", PASSPHRASE))
        pinentry.chmod(0o700)
        (self.home / "gpg-agent.conf").write_text(f"pinentry-program {pinentry}\ns2k-count 1024\n")

    def __exit__(self, *problem: object) -> None:
        super().__exit__(None, None, None)
        shutil.rmtree(self.folder, ignore_errors=True)  # the agent takes its sockets away itself

    def make_locked(self, user_id: str, *, kind: str = "ed25519", expires: str = "never") -> str:
        """Make a key with the passphrase, forget that it was typed, and return its fingerprint."""
        options = ["--pinentry-mode", "loopback", "--passphrase", PASSPHRASE, "--status-fd", "1"]
        said = self.run(*options, "--quick-gen-key", user_id, kind, "sign,cert", expires).decode()
        self.forget()
        return said.partition("KEY_CREATED P ")[2].split()[0]

    def forget(self) -> None:
        """Have the agent forget what was typed."""
        self.tool("gpgconf", "--reload", "gpg-agent")

    def tool(self, *command: str) -> None:
        """Run another program of GnuPG on this home."""
        subprocess.run(
            [command[0], "--homedir", str(self.home), *command[1:]], check=True, capture_output=True
        )

    def decline(self) -> None:
        """Press Cancel from now on."""
        (self.folder / "declines").touch()

    @property
    def asked(self) -> list[str]:
        """What the person was asked for, each time."""
        file = self.folder / "asked"
        return file.read_text().splitlines() if file.exists() else []
