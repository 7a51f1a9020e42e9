"""One parser fuzzed by coverage, in a process of its own: libFuzzer ends the process when it is done.

    python -m scripts.fuzzing.guided TARGET PARSER CORPUS FOUND -runs=… -max_total_time=…

New inputs go into CORPUS; those that raised go into FOUND, and the fuzzing goes on.
"""

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import atheris

from overlay.lab.virtual_time import VirtualLoop

from .findings import Findings

with atheris.instrument_imports(
    include=[
        "overlay.protocol",
        "overlay.dht",
        "overlay.outstanding",
        "overlay.reachability",
        "sipgate.protocol",
        "media.protocol",
    ]
):
    from .targets import parser


def main(target: str, name: str, corpus: str, found: str, *flags: str) -> None:
    """Fuzz until libFuzzer has had enough."""
    loop, findings, stack = VirtualLoop(), Findings(Path(found)), AsyncExitStack()
    subject = loop.run_until_complete(stack.enter_async_context(parser(target, name).opened()))

    async def feed(data: bytes) -> None:
        findings.feed(subject, data)
        await subject.rest()

    def test_one_input(data: bytes) -> None:
        loop.run_until_complete(feed(data))
        if loop.failure is not None:  # of a task or callback that the input has set going
            findings.note(loop.failure, data)
            loop.failure = None

    asyncio.set_event_loop(loop)
    atheris.Setup([sys.argv[0], corpus, *flags], test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
