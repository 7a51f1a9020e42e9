"""The life of a node: open, announce, serve, stop on a signal."""

import asyncio
import signal
import sys
from pathlib import Path

from .cli import say
from .compose import open_node, wall_clock
from .config import Config
from .events import EventLog
from .narrate import Narrator, print_json
from .store import DataDirectory

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


async def run_node(config: Config, data: Path, *, as_json: bool) -> None:
    """Run a node until SIGINT or SIGTERM.

    Raises:
        FreeCallError: something that the user can mend stands in the way.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    log = EventLog(wall_clock)
    log.print_with(print_json if as_json else Narrator(say))
    try:
        with DataDirectory(data) as directory:
            async with open_node(config, directory, log):
                await stop.wait()
                for number in STOP_SIGNALS:  # a second Ctrl-C ends at once
                    loop.remove_signal_handler(number)
        log.emit("stopped")
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output went away: nobody to tell
