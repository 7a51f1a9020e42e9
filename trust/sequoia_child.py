"""The child of `sequoia_decryption.py`: reads a key and a message, writes the text, and is bounded in all of it."""

import resource
import sys

import pysequoia

MEMORY = 512 * 1024 * 1024
CPU_SECONDS = 5
MAX_TEXT = 20 * 1024
NOT_READABLE = 3


def main() -> int:
    """Decrypt; return the exit status."""
    for limit, value in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, CPU_SECONDS)):
        resource.setrlimit(limit, (value, value))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    given = sys.stdin.buffer.read()
    size = int.from_bytes(given[:4], "big")
    secret, message = given[4 : 4 + size], given[4 + size :]
    try:
        found = pysequoia.decrypt(message, pysequoia.Tsk.from_bytes(secret).decryptor())
    except RuntimeError:
        return NOT_READABLE
    if found.bytes is None or len(found.bytes) > MAX_TEXT:
        return NOT_READABLE
    sys.stdout.buffer.write(found.bytes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
