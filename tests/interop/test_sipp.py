"""sipp as a phone that does exactly what is written."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.kit.baresip import Line
from tests.kit.netns import free_ports
from tests.kit.nodes import DataDirectory, Node
from tests.kit.process import Outcome
from tests.kit.sipp import sipp

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[Node]:
    """Start a node on the loopback, and another so that it has somebody to ask."""
    with DataDirectory("sipp") as data, DataDirectory("other") as elsewhere:
        async with Node("alice", data) as node, Node("other", elsewhere, bootstrap=[node.mesh_text]) as other:
            await other.event("joined")
            yield node


def passed(outcome: Outcome) -> bool:
    """Tell whether the scenario went as written; print sipp's own account otherwise."""
    if outcome.code != 0:
        print(outcome.stdout[-3000:], outcome.stderr[-3000:])
    return outcome.code == 0


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_phone_registers_and_leaves(node: Node, tmp_path: Path, transport: str) -> None:
    (port,) = free_ports(None, step=2)
    line = Line.of(node)
    for expires, event in ((60, "phone_registered"), (0, "phone_unregistered")):
        keys = {"expires": str(expires)}
        assert passed(await sipp("register", line, tmp_path, transport=transport, keys=keys, port=port))
        await node.event(event)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_the_node_says_that_it_is_there(node: Node, tmp_path: Path, transport: str) -> None:
    assert passed(await sipp("options", Line.of(node), tmp_path, transport=transport))


@pytest.mark.parametrize(
    ("callee", "status"), [("nobody.at.all", 404), ("alice", 480)], ids=["unknown", "no phone"]
)
async def test_a_call_that_cannot_be_is_refused_at_once(
    node: Node, tmp_path: Path, callee: str, status: int
) -> None:
    keys = {"callee": callee, "refusal": str(status)}
    uri = f"sip:{callee}@mesh"
    assert passed(await sipp("invite_refused", Line.of(node), tmp_path, uri=uri, keys=keys))


async def test_fifty_phones_at_once_are_served(node: Node, tmp_path: Path) -> None:
    assert passed(await sipp("options", Line.of(node), tmp_path, calls=50))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_phone_publishes_subscribes_and_is_told(node: Node, tmp_path: Path, transport: str) -> None:
    uri = f"sip:{node.account['username']}@mesh"
    assert passed(await sipp("presence", Line.of(node), tmp_path, uri=uri, transport=transport))
