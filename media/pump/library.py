"""The compiled pump (`pump.c`) by ctypes: where it lies, and its structures. It needs no header of Python's."""

import ctypes
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ADDRESS_BYTES = 32


class Flow(ctypes.Structure):
    """`struct flow` of pump.c: what one direction of one section is armed with, and what has passed."""

    _fields_ = (
        ("crypt", ctypes.c_void_p),
        ("session", ctypes.c_void_p),
        ("source", ctypes.c_ubyte * ADDRESS_BYTES),
        ("destination", ctypes.c_ubyte * ADDRESS_BYTES),
        ("ssrc", ctypes.c_ubyte * 4),
        ("out", ctypes.c_int32),
        ("max_size", ctypes.c_int32),
        ("measured", ctypes.c_int32),
        ("clock_rate", ctypes.c_double),
        ("highest", ctypes.c_uint64),
        ("jitter", ctypes.c_double),
        ("transit", ctypes.c_double),
        ("packets", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
        ("reordered", ctypes.c_uint64),
        ("unsent", ctypes.c_uint64),
        ("heard_at", ctypes.c_double),
        ("after", ctypes.c_uint64),
    )


def _candidates() -> Iterator[Path]:
    """Beside this module, where an installer built it; in the environment, where scripts/setup did."""
    yield from sorted(Path(__file__).parent.glob("_pump*.so"))
    yield Path(sys.prefix) / "lib" / "freecall" / "_pump.so"


@cache
def load() -> ctypes.CDLL | None:
    """Return the library; None where it was not built, does not load, or is not of this version."""
    for path in _candidates():
        try:
            library = ctypes.CDLL(str(path))
            if _declare(library) == VERSION:
                return library
        except (OSError, AttributeError):  # not there, of another machine, or of another time
            continue
    return None


VERSION = 1
"""Of what the two sides expect of each other: the functions, and the structures' fields. `pump_version` returns it."""


def _declare(library: ctypes.CDLL) -> int:
    """Give the functions their types; return the library's version."""
    pointer, number = ctypes.c_void_p, ctypes.c_int
    library.pump_version.restype = number
    library.pump_start.argtypes, library.pump_start.restype = (number, number), pointer
    library.pump_stop.argtypes, library.pump_stop.restype = (pointer,), None
    library.pump_open.argtypes = (pointer, number, number, ctypes.c_uint32)
    library.pump_close.argtypes, library.pump_close.restype = (pointer, number, number), None
    library.pump_arm.argtypes = (pointer, number, ctypes.POINTER(Flow))
    library.pump_look.argtypes = (pointer, number, number, ctypes.POINTER(Flow))
    return int(library.pump_version())
