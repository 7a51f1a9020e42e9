"""What `scripts/fuzz overlay` does, in seconds and the same each time: spoilt datagrams raise and leave nothing.

How long each takes is for the command to say, on a machine that does nothing else.
"""

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path

import pytest

from overlay.lab.virtual_time import run
from scripts.fuzzing.findings import Findings
from scripts.fuzzing.mutator import Mutator
from scripts.fuzzing.overlay import PARSERS
from scripts.fuzzing.parser import Parser, Subject

from .fuzzed_node import Strangers, datagrams, strangers

STRANGE = 20_000
OTHERS = 1_000
BATCH = 100
ALL_SETTLED_SECONDS = 10


async def feed(subject: Subject, inputs: Iterable[bytes]) -> None:
    """Give them all, with a rest now and then."""
    for number, data in enumerate(inputs):
        subject.take(data)
        if number % BATCH == 0:
            await subject.rest()


async def settled(subject: Strangers) -> dict[str, int]:
    """Return what is kept when everything that was begun has ended."""
    await asyncio.sleep(ALL_SETTLED_SECONDS)
    return subject.kept()


def spoilt(parser: Parser) -> Mutator:
    return Mutator(parser.corpus(), seed=7, max_bytes=parser.max_bytes, words=parser.words)


def test_twenty_thousand_spoilt_datagrams_leave_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    mutator = spoilt(PARSERS[0])

    async def attack() -> None:
        async with strangers() as node:
            node.hear_from_everywhere()
            await feed(node, datagrams())
            before = await settled(node)
            await feed(node, mutator.inputs(STRANGE))
            assert await settled(node) == before
            assert node.overlay._protocol.dropped > STRANGE // 2  # spoilt they were,
            assert node.answered > STRANGE // 100  # but not all of them to the core

    with caplog.at_level(logging.INFO):
        run(attack())
    assert not caplog.records


@pytest.mark.parametrize("parser", PARSERS[1:], ids=lambda parser: str(parser.name))
def test_spoilt_inputs_raise_nothing_but_refusals(parser: Parser, caplog: pytest.LogCaptureFixture) -> None:
    async def attack() -> None:
        async with parser.opened() as subject:
            await feed(subject, parser.corpus())
            await feed(subject, spoilt(parser).inputs(OTHERS))

    with caplog.at_level(logging.INFO):
        run(attack())
    assert not caplog.records


def test_the_same_seed_spoils_the_same_way() -> None:
    first, second, third = (
        list(Mutator([b"abc", b"defg"], seed=seed, max_bytes=50).inputs(200)) for seed in (1, 1, 2)
    )
    assert first == second != third
    assert max(map(len, first)) <= 50


def test_a_fault_is_kept_once_and_counted_each_time(tmp_path: Path) -> None:
    class Faulty:
        def take(self, data: bytes) -> None:
            _ = data[3]

        async def rest(self) -> None:
            """Do nothing."""

    findings = Findings(tmp_path)
    for data in (b"abcd", b"abc", b"ab"):
        findings.feed(Faulty(), data)
    assert list(findings.counts.values()) == [2]
    assert [path.read_bytes() for path in tmp_path.iterdir() if not path.suffix] == [b"abc"]
