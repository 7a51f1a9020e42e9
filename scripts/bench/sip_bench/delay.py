"""From INVITE to 180, phone to phone: through two real nodes that know each other's names, beside Kamailio."""

import asyncio
import tempfile
import time
from pathlib import Path

from scripts.bench.report import OURS, Figure, percentile
from tests.kit.nodes import DataDirectory, Node
from tests.kit.sip_phone import SipPhone

from . import systems

SECTION = "delay"
PAUSE = 0.02  # seconds between two calls


def _phone(node: Node) -> SipPhone:
    account = node.account
    return SipPhone(account["username"], node.phones[1], secret=account["secret"])


async def _ring(caller: SipPhone, uri: str, callee: SipPhone) -> float:
    """Let a phone ring and take the call back; return the seconds from INVITE to 180."""
    call = await caller.call(uri)
    began = time.perf_counter()
    await call.response(180)
    took = time.perf_counter() - began
    rung = await callee.rung()
    await call.cancel()
    await rung.cancelled()
    await rung.say(487)
    await call.final()
    caller.calls.clear()
    callee.calls.clear()
    await asyncio.sleep(PAUSE)
    return took


async def _through_nodes(count: int) -> list[float]:
    with DataDirectory("near") as near, DataDirectory("far") as far:
        async with Node("alice", near) as alice, Node("bob", far, bootstrap=[alice.mesh_text]) as bob:
            await alice.event("published")
            await bob.event("published")
            async with _phone(alice) as caller, _phone(bob) as callee:
                await caller.register()
                await callee.register()
                await _get_acquainted(caller, bob.uri, callee)
                return [await _ring(caller, bob.uri, callee) for _ in range(count)]


async def _get_acquainted(caller: SipPhone, uri: str, callee: SipPhone) -> None:
    call = await caller.call(uri)
    rung = await callee.rung()
    await rung.answer()
    await call.response(200)
    await asyncio.sleep(1)
    await call.hang_up()


async def _through_kamailio(count: int, port: int) -> list[float]:
    async with SipPhone("c0", port) as caller, SipPhone("v0", port) as callee:
        await callee.register()
        return [await _ring(caller, "sip:v0@mesh", callee) for _ in range(count)]


def measure(*, quick: bool) -> list[Figure]:
    """Return the figures of this section."""
    count = 40 if quick else 200
    samples = {OURS: asyncio.run(_through_nodes(count))}
    if systems.has_kamailio():
        with tempfile.TemporaryDirectory() as folder, systems.kamailio(Path(folder)) as kamailio:
            samples["kamailio"] = asyncio.run(_through_kamailio(count, kamailio.port))
    figures = []
    for share, target in ((50, None), (95, 10), (99, None)):
        values = {name: _ms(percentile(taken, share)) for name, taken in samples.items()}
        figures.append(
            Figure(
                SECTION,
                f"INVITE to 180, p{share}",
                "ms",
                values,
                target,
                note="Kamailio: one proxy, no TLS, no media",
            )
        )
    return figures


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3
