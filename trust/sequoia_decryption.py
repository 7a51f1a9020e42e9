"""Decryption with pysequoia in a process of its own, with a limit on its memory.

pysequoia inflates what it decrypts without any limit, and deflated text nests: a stranger's 20 KiB could fill all the
memory of the node. The child starts in 20 ms, takes the key by a pipe, and leaves nothing behind.
"""

import asyncio
import sys
from pathlib import Path

from .errors import KeyringError, Unreadable
from .protocol.packets import MAX_ENCRYPTED_BYTES, check_encrypted

SECONDS = 10.0
MAX_CHILDREN = 2
CHILD = Path(__file__).with_name("sequoia_child.py")
NOT_READABLE = 3


class Decryption:
    """Decrypts for one key, a few messages at a time; ``secret`` is the binary transferable secret key."""

    def __init__(self, secret: bytes) -> None:
        self._given = len(secret).to_bytes(4, "big") + secret
        self._turns = asyncio.Semaphore(MAX_CHILDREN)

    async def decrypt(self, message: bytes) -> bytes:
        """Return what is in ``message``.

        Raises:
            Unreadable: it is not encrypted to this key, damaged, or holds too much.
            KeyringError: no process can be started.
        """
        check_encrypted(message)
        async with self._turns:
            code, plain = await _run(self._given + message)
        if code == 0 and len(plain) <= MAX_ENCRYPTED_BYTES:
            return plain
        raise Unreadable("it is not encrypted to this key, or damaged, or too large inside")


async def _run(given: bytes) -> tuple[int, bytes]:
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(CHILD),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        raise KeyringError(f"No process can be started to decrypt a message ({error}).") from error
    try:
        async with asyncio.timeout(SECONDS):
            plain, _ = await child.communicate(given)
    except TimeoutError:
        return NOT_READABLE, b""
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return child.returncode or 0, plain
