"""The node's memory: no core dumps, no other program of the same user looks in, and garbage is seldom looked for."""

import ctypes
import gc
import resource
import sys

PR_SET_DUMPABLE = 4
NEW_OBJECTS = 10_000  # between two looks for garbage: some 3 MB


def keep_private() -> None:
    """Forbid core dumps to this process and those that it starts, and reading its memory (prctl(2), Linux only).

    A crash then leaves no file with keys in it. Debuggers and profilers need root, or the node's own signals.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def collect_seldom() -> None:
    """Look for garbage once in a hundred calls, not in each tenth, while somebody waits for a ring.

    A call that is over leaves next to none: its parts hold each other in no circle, so they are freed at once. What is
    looked through are the transactions that last their half minute.
    """
    gc.set_threshold(NEW_OBJECTS)
