"""The user's own GnuPG: its keyring is read, its agent is asked for a signature, and nothing is ever written."""

import asyncio
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from .errors import KeyringError

READ_SECONDS = 30.0
SIGN_SECONDS = 300.0
"""How long the person has for their passphrase, card or PIN."""

MAX_LINES = 200_000
LISTING = ["--with-colons", "--fixed-list-mode", "--with-keygrip"]
QUIET = ["--batch", "--no-tty", "--no-auto-check-trustdb", "--no-auto-key-locate"]


@dataclass(frozen=True)
class UserId:
    """One user id of a key, with the validity that gpg gives it: one of the letters of its DETAILS file, or ``-``."""

    text: str
    validity: str


@dataclass(frozen=True)
class ListedKey:
    """A key as the user's gpg lists it. ``secret`` is where its secret half is: empty for a key of somebody else."""

    fingerprint: str
    keygrip: str
    validity: str
    owner_trust: str
    capabilities: str
    secret: str
    user_ids: tuple[UserId, ...]

    @property
    def is_at_hand(self) -> bool:
        """True when the agent can use the primary key: on the disk or on a card."""
        return self.secret not in ("", "#")

    @property
    def is_disabled(self) -> bool:
        """True when the user has disabled it."""
        return "D" in self.capabilities


class UserGpg:
    """The gpg and the agent of ``home``; None is wherever gpg itself looks (GNUPGHOME, ~/.gnupg)."""

    def __init__(self, home: Path | None = None) -> None:
        self._where = [] if home is None else ["--homedir", str(home)]
        self.home = home or Path(os.environ.get("GNUPGHOME", Path.home() / ".gnupg"))

    async def own_key(self, selector: str) -> ListedKey:
        """Return the one secret key that ``selector`` names: a fingerprint, or a part of a user id.

        Raises:
            KeyringError: none, or several, or gpg cannot be asked.
        """
        code, out, why = await self._run("gpg", [*QUIET, *LISTING, "--list-secret-keys", "--", selector])
        found = parse_listing(out)
        if not found:
            reason = "" if code == 0 else f" ({why})"
            raise KeyringError(
                f"Your GnuPG keyring has no secret key {selector!r}{reason}. gpg --list-secret-keys shows those it has."
            )
        if len(found) > 1:
            names = ", ".join(key.fingerprint for key in found)
            raise KeyringError(
                f"{selector!r} names {len(found)} of your keys. Say which by its fingerprint: {names}."
            )
        return found[0]

    async def keys(self) -> list[ListedKey]:
        """Return all keys of the keyring, people's and own ones.

        Raises:
            KeyringError: gpg cannot be asked.
        """
        _, out, _ = await self._run("gpg", [*QUIET, *LISTING, "--list-keys"])
        return parse_listing(out)

    async def export(self, fingerprint: str) -> bytes:
        """Return a public key, binary, with self-signatures only.

        Raises:
            KeyringError: gpg cannot be asked, or has no such key.
        """
        options = [*QUIET, "--export-options", "export-minimal", "--export", "--", f"0x{fingerprint}!"]
        _, key, why = await self._run("gpg", options)
        if not key:
            raise KeyringError(f"GnuPG did not give out the public key {fingerprint} ({why}).")
        return key

    async def sign_digest(self, keygrip: str, digest: bytes, hash_name: str, request: str) -> bytes:
        """Return the agent's signature, a canonical S-expression. The person reads ``request`` beside the prompt.

        Raises:
            KeyringError: they declined, or could not be asked.
        """
        described = "".join(c if c.isalnum() else "+" if c == " " else f"%{ord(c):02X}" for c in request)
        commands = [
            f"SIGKEY {keygrip}",
            f"SETKEYDESC {described}",
            f"SETHASH --hash={hash_name} {digest.hex()}",
        ]
        _, out, why = await self._run("gpg-connect-agent", [*commands, "PKSIGN", "/bye"], SIGN_SECONDS)
        answer, refusal = _agent_answer(out)
        if not answer:
            raise KeyringError(f"Your OpenPGP key did not sign: {refusal or why}.")
        return answer

    async def _run(
        self, program: str, arguments: list[str], seconds: float = READ_SECONDS
    ) -> tuple[int, bytes, str]:
        """Return exit status, output, and the last thing that the program complained of."""
        path = shutil.which(program)
        if path is None:
            raise KeyringError(f"{program} is missing: apt install gnupg.")
        try:
            child = await asyncio.create_subprocess_exec(
                path,
                *self._where,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,  # a pipe may be gone before it is written to
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=_with_terminal(os.environ),
            )
        except OSError as error:
            raise KeyringError(f"{program} could not be run ({error}).") from error
        try:
            async with asyncio.timeout(seconds):
                out, complaints = await child.communicate()
        except TimeoutError:
            raise KeyringError(f"{program} has not answered for {seconds:.0f} seconds.") from None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        last = (complaints.decode(errors="replace").strip().splitlines() or ["it gave no reason"])[-1]
        return child.returncode or 0, out, last


def _with_terminal(environment: Mapping[str, str]) -> dict[str, str]:
    """Tell the pinentry which terminal to ask on, where the user's shell does not."""
    known = dict(environment)
    if "GPG_TTY" not in known and os.isatty(0):
        known["GPG_TTY"] = os.ttyname(0)
    return known


def parse_listing(out: bytes) -> list[ListedKey]:
    """Return the keys of a listing with colons (doc/DETAILS of GnuPG)."""
    keys: list[dict[str, str]] = []
    user_ids: list[list[UserId]] = []
    for line in out.decode(errors="replace").splitlines()[:MAX_LINES]:
        fields = [*line.split(":"), *[""] * 20]
        kind = fields[0]
        if kind in ("pub", "sec"):
            keys.append(
                {
                    "validity": fields[1] or "-",
                    "owner_trust": fields[8] or "-",
                    "capabilities": fields[11],
                    "secret": fields[14],
                }
            )
            user_ids.append([])
        elif keys and kind == "fpr":
            keys[-1].setdefault("fingerprint", fields[9])
        elif keys and kind == "grp":
            keys[-1].setdefault("keygrip", fields[9])
        elif keys and kind == "uid":
            user_ids[-1].append(UserId(_unescaped(fields[9]), fields[1] or "-"))
    return [
        ListedKey(**key, user_ids=tuple(ids))
        for key, ids in zip(keys, user_ids, strict=True)
        if {"fingerprint", "keygrip"} <= key.keys()
    ]


def _unescaped(text: str) -> str:
    return re.sub(r"\\x([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), text)


def _agent_answer(out: bytes) -> tuple[bytes, str]:
    """Return the data that gpg-connect-agent shows, and the last refusal as a person reads it."""
    data, refusal = b"", ""
    for line in out.split(b"\n"):
        if line.startswith(b"D "):
            data += unquote_to_bytes(line[2:])
        elif line.startswith(b"ERR "):
            refusal = line.decode(errors="replace").split(" ", 2)[-1]
            refusal = refusal.partition(" <")[0]
    return data, refusal
