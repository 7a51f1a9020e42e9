"""How a command that asks the running node ends when the node, or the user, will not have it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from freecall.config import default_data_directory
from freecall.control.client import ControlClient, NodeNotRunning, NodeRefused

from . import give_up

REFUSED, NO_NODE = 1, 3


@contextmanager
def asking(data: Path | None) -> Iterator[ControlClient]:
    """Yield the way to the running node of a data directory. Exit status 1 when it refuses, 3 when there is none."""
    try:
        yield ControlClient(data or default_data_directory())
    except NodeNotRunning as error:
        give_up(str(error), NO_NODE)
    except NodeRefused as error:
        give_up(str(error), REFUSED)
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        raise SystemExit(130) from None
