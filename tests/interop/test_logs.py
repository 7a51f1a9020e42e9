"""A log at its most talkative, over a whole call, tells nobody who called whom."""

from pathlib import Path

import pytest

from tests.kit.nodes import Node

pytestmark = pytest.mark.interop


async def talk(data: Path, config: str) -> tuple[Node, str]:
    """Run a node that calls its own echo; return it and all that it logged."""
    (data / "config.toml").write_text(config)
    node = Node("wilhelmina", data)
    async with node:
        answer = await node.call("echo@mesh", "--seconds", "0.5")
        assert answer.json["ok"]
        assert (await node.call("nobody-of-this-name@mesh")).code == 1
    return node, node.program.stderr


async def test_a_log_of_a_whole_call_names_nobody(data: Path) -> None:
    node, log = await talk(data, '[log]\nlevel = "debug"\n')
    assert "DTLS" in log, "the call itself is in the log"
    secrets = [node.ready[key] for key in ("name", "fingerprint", "node_id", "node_public_key")]
    secrets += [node.account["secret"], "nobody-of-this-name", node.ready["self_certifying_uri"], "127.0.0.1"]
    found = [secret for secret in secrets if secret.lower() in log.lower()]
    assert not found


async def test_who_asks_for_personal_data_gets_it(data: Path) -> None:
    node, log = await talk(data, '[log]\nlevel = "debug"\npersonal = true\n')
    assert node.ready["name"] in log
