"""The life of a node: open, announce, serve, stop on a signal."""

import asyncio
import signal
import sys
from pathlib import Path

from .compose import open_node, wall_clock
from .config import Config
from .events import EventLog
from .narrate import Narrator, json_printer
from .store import DataDirectory
from .terminal import LineWriter, Terminal

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
    write = LineWriter(sys.stdout)
    printer = json_printer(write) if as_json else Narrator(write)
    with Terminal(printer, write.flush, lambda: loop.call_soon_threadsafe(stop.set)) as terminal:
        log.print_with(terminal)
        with DataDirectory(data) as directory:
            async with open_node(config, directory, log):
                await stop.wait()
                for number in STOP_SIGNALS:  # a second Ctrl-C ends at once
                    loop.remove_signal_handler(number)
        log.emit("stopped")
