"""The real gpg in a home of its own: makes odd keys, and judges ours independently of the code under test."""

import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

needs_gpg = pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed: apt install gnupg")


class GpgHome:
    """A GNUPGHOME and its agent, ended on exit."""

    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700)
        self.home = home

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "gpg-agent"], check=True)

    def run(self, *arguments: str, data: bytes = b"", check: bool = True) -> bytes:
        """Run gpg and return what it wrote."""
        command = ["gpg", "--homedir", str(self.home), "--batch", "--no-tty", "--yes", *arguments]
        done = subprocess.run(command, input=data, capture_output=True, timeout=30, check=False)
        assert done.returncode == 0 or not check, done.stderr.decode()
        return done.stdout

    def make(
        self, name: str, *, expires: str = "never", at: int | None = None, kind: str = "ed25519"
    ) -> bytes:
        """Make a key for ``name`` at mesh and return its public half."""
        clock = ["--faked-system-time", f"{at}!"] if at else []
        user_id = f"{name} <sip:{name}@mesh>"
        self.run(*clock, "--passphrase", "", "--quick-gen-key", user_id, kind, "sign,cert", expires)
        return self.export(name)

    def export(self, name: str, *options: str) -> bytes:
        """Return the public key(s) of ``name``."""
        return self.run("--export-options", "export-minimal", *options, "--export", f"sip:{name}@mesh")

    def sign(self, name: str, data: bytes, *options: str) -> bytes:
        """Return a detached signature."""
        return self.run(*options, "-u", f"sip:{name}@mesh", "--detach-sign", data=data)

    def revoke(self, name: str, fingerprint: str) -> bytes:
        """Revoke a key with the certificate that gpg laid up when it made the key; return its public half."""
        paper = (self.home / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text()
        self.run("--import", data=paper.replace(":-----BEGIN", "-----BEGIN").encode())
        return self.export(name)

    def verify(self, key: bytes, signature: bytes, data: bytes) -> str | None:
        """Return the primary fingerprint that gpg finds, or None."""
        self.run("--import", data=key)
        file = self.home / "signature"
        file.write_bytes(signature)
        status = self.run("--status-fd", "1", "--verify", str(file), "-", data=data, check=False).decode(
            errors="replace"
        )
        for line in status.splitlines():
            if line.startswith("[GNUPG:] VALIDSIG"):
                return line.split()[-1]
        return None
