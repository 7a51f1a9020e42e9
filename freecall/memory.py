"""What is in the node's memory stays there: no core dumps, and no other program of the same user looks in."""

import ctypes
import resource
import sys

PR_SET_DUMPABLE = 4


def keep_private() -> None:
    """Forbid core dumps to this process and those that it starts, and reading its memory (prctl(2), Linux only).

    A crash then leaves no file with keys in it. Debuggers and profilers need root, or the node's own signals.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
