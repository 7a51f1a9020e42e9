"""Reliable provisional responses with sipp at both ends, through two nodes."""

import asyncio
from pathlib import Path

import pytest

from tests.kit.baresip import Line
from tests.kit.netns import free_ports
from tests.kit.nodes import DataDirectory, Node, resolves
from tests.kit.process import Outcome
from tests.kit.sipp import sipp

pytestmark = pytest.mark.interop


def passed(outcome: Outcome) -> bool:
    """Tell whether the scenario went as written; print sipp's own account otherwise."""
    if outcome.code != 0:
        print(outcome.stdout[-3000:], outcome.stderr[-3000:])
    return outcome.code == 0


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_pracks_are_sent_and_taken(tmp_path: Path, transport: str) -> None:
    folders = [tmp_path / name for name in ("caller", "callee")]
    for folder in folders:
        folder.mkdir()
    with DataDirectory("alice") as one, DataDirectory("bob") as other:
        async with Node("alice", one) as alice, Node("bob", other, bootstrap=[alice.mesh_text]) as bob:
            await resolves(alice, bob)
            (port,) = free_ports(None, step=2)
            keys = {"expires": "60", "callee": "bob"}
            line = Line.of(bob)
            assert passed(await sipp("register", line, folders[1], keys=keys, port=port, transport=transport))
            async with asyncio.TaskGroup() as tasks:
                taken = tasks.create_task(
                    sipp("reliable_callee", line, folders[1], port=port, transport=transport)
                )
                placed = tasks.create_task(
                    sipp(
                        "reliable_caller",
                        Line.of(alice),
                        folders[0],
                        uri=bob.uri,
                        keys=keys,
                        transport=transport,
                    )
                )
            assert passed(placed.result())
            assert passed(taken.result())
