"""A whole run at its most talkative, with people's data asked for, tells none of the node's secrets."""

import base64
import json
import re
from pathlib import Path

import pytest

from tests.kit.nodes import DataDirectory, Node, fc_trust
from trust.protocol.packets import split

pytestmark = pytest.mark.interop
CONFIG = '[log]\nlevel = "debug"\npersonal = true\n[node]\nopenpgp = "sequoia"\n'
SECRET_KEYS = (5, 7)
CHECKSUM, SCALAR = 2, 30


def spellings(raw: bytes) -> list[str]:
    """Return how a program may write bytes: hexadecimal, base64, or as Python shows them."""
    shown = [repr(raw)[2:-1], repr(list(raw))[1:-1]]
    return [raw.hex(), raw.hex().upper(), base64.b64encode(raw).decode()[:-4], *shown]


def secrets_in(data: Path) -> list[str]:
    """Return the node key's seed and the numbers of the OpenPGP key, in each spelling."""
    found = spellings((data / "node.key").read_bytes())
    for packet in split((data / "openpgp.key").read_bytes()):
        if packet.tag in SECRET_KEYS:
            found += spellings(packet.body[-CHECKSUM - SCALAR : -CHECKSUM])
    return found


def limits_of(node: Node) -> str:
    """Return the limits of the node's process (proc(5))."""
    return Path(f"/proc/{node.program.pid}/limits").read_text()


async def test_no_secret_is_in_logs_events_status_answers_or_tracebacks() -> None:
    with DataDirectory("alice") as data, DataDirectory("bob") as elsewhere:
        (data / "config.toml").write_text(CONFIG)
        async with (
            Node("bob", elsewhere, arguments=["--answer-with", "echo"]) as bob,
            Node("alice", data, bootstrap=[bob.mesh_text]) as alice,
        ):
            await alice.event("published")
            limits = limits_of(alice)
            answers = [
                await alice.call(name, "--seconds", "0.3") for name in ("bob@mesh", "echo@mesh", "x@mesh")
            ]
            answers += [await alice.lookup("bob@mesh"), await fc_trust("bob@mesh", data=data)]
            said = "".join(answer.outcome.stdout + answer.outcome.stderr for answer in answers)
            secrets = [*secrets_in(data), alice.account["secret"]]
            events = json.dumps([event for event in alice.journal.all if event["event"] != "ready"])
        log = alice.program.stderr
    assert re.search(r"Max core file size +0 +0 ", limits)
    assert "DTLS" in log, "the calls are in the log"
    assert "call_secured" in events
    for name, text in (("log", log), ("events", events), ("answers", said)):
        assert not [secret for secret in secrets if secret in text], name
