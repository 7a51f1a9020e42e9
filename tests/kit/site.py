"""A node with the phones beside it, and calls between two such places."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kit.baresip import SAMPLE_RATES, Baresip, Line
from tests.kit.capture import Capture, PhoneTraffic
from tests.kit.journal import NotSeenError
from tests.kit.nodes import Node


@asynccontextmanager
async def phone_of(
    node: Node, speech: Mapping[int, Path], *, codec: str = "PCMU", transport: str = "udp"
) -> AsyncIterator[Baresip]:
    """Yield a phone that is registered with the node; afterwards wait until the node has seen it go.

    `speech` is what the user says: a WAV file for each sample rate.
    """
    wav = speech[SAMPLE_RATES[codec]]
    phone = Baresip(Line.of(node), wav, namespace=node.namespace, codec=codec, transport=transport)
    node.journal.forget()
    async with phone:
        await node.event("phone_registered")
        yield phone
    if node.program.returncode is None:
        await node.event("phone_unregistered")


@dataclass
class Site:
    """A node, its loopback as seen by a capture, and what its user says (a WAV file for each sample rate)."""

    node: Node
    loopback: Capture
    speech: Mapping[int, Path]

    def phone(self, *, codec: str = "PCMU", transport: str = "udp") -> AbstractAsyncContextManager[Baresip]:
        """Return a phone beside the node, as `phone_of` does."""
        return phone_of(self.node, self.speech, codec=codec, transport=transport)

    def traffic(self, phone: Baresip) -> PhoneTraffic:
        """Watch the RTP between the node and one of its phones from here on."""
        return PhoneTraffic(self.loopback, phone.rtp_ports)


async def ring(caller: Baresip, callee: Baresip, uri: str) -> None:
    """Dial and wait until it rings at both ends."""
    await caller.dial(uri)
    try:
        await callee.event("CALL_INCOMING")
    except NotSeenError as error:
        raise NotSeenError(f"{error}\nthe caller saw:\n{caller.log()[-1500:]}") from None
    await caller.event("CALL_RINGING", "CALL_PROGRESS")


async def answer(caller: Baresip, callee: Baresip) -> None:
    """Pick up and wait until both are connected."""
    await callee.accept()
    for phone in (callee, caller):
        await phone.event("CALL_ESTABLISHED")


async def connect(caller: Baresip, callee: Baresip, uri: str) -> None:
    """Dial, wait until it rings at both ends, answer, wait until both are connected."""
    await ring(caller, callee, uri)
    await answer(caller, callee)


async def secured(caller: Node, callee: Node) -> Mapping[str, Any]:
    """Wait until both nodes report the call as signed, with the same words; return the caller's report."""
    near = await caller.event("call_secured")
    far = await callee.event("call_secured")
    assert near["signed"] is True, near
    assert far["signed"] is True, far
    assert near["words"] == far["words"]
    assert len(near["words"]) == 4
    assert near["fingerprint"] == callee.ready["fingerprint"]
    assert far["fingerprint"] == caller.ready["fingerprint"]
    return near


async def ended(*nodes: Node) -> None:
    """Wait until each node has reported the end of its call."""
    for node in nodes:
        await node.event("call_ended")
