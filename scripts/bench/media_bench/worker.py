"""Our side under test: two nodes' media for many calls, in one process. Phones' ports come in, ours go out.

Run as `python -m scripts.bench.media_bench.worker`: one JSON list of phone ports on stdin (caller and callee in turn),
one JSON list of the node's ports on stdout, then the calls are carried until stdin ends.
"""

import asyncio
import gc
import json
import sys
from functools import partial
from typing import Any

import uvloop

from media.call_media import CallMedia
from media.events import MediaEvent, Secured
from media.pump.engine import open_sockets
from media.sockets import Sockets
from tests.media.call_pair import endorsers, make_media

from .phones import media_port, sdp

Call = tuple[CallMedia, CallMedia]


async def connect(
    number: int, ports: tuple[int, int], group: asyncio.TaskGroup, sockets: Sockets
) -> tuple[Call, list[int]]:
    """Set one call up; return its media and the ports that the two phones shall send to."""
    told = asyncio.Event(), asyncio.Event()

    def tell(one: asyncio.Event, event: MediaEvent) -> None:
        if isinstance(event, Secured):
            one.set()

    ours, theirs = endorsers()
    name: dict[str, Any] = {"call_id": f"bench-{number}", "sockets": sockets}
    caller = make_media("caller", ours, partial(tell, told[0]), **name)
    callee = make_media("callee", theirs, partial(tell, told[1]), **name)
    group.create_task(caller.run())
    group.create_task(callee.run())
    to_callee = await callee.offer_from_mesh(await caller.offer_from_phone(sdp(ports[0])))
    fragment = callee.transport_fragment()
    assert fragment is not None
    await caller.transport_from_mesh(fragment)
    for one in told:
        await one.wait()
    to_caller = await caller.answer_from_mesh(await callee.answer_from_phone(sdp(ports[1])))
    return (caller, callee), [media_port(to_caller), media_port(to_callee)]


async def serve(threads: int) -> None:
    """Carry the calls until standard input closes."""
    ports = json.loads(await asyncio.to_thread(sys.stdin.readline))
    calls: list[Call] = []
    targets: list[int] = []
    with open_sockets(threads) as sockets:
        async with asyncio.TaskGroup() as group:
            for number in range(0, len(ports), 2):
                call, to = await connect(number // 2, (ports[number], ports[number + 1]), group, sockets)
                calls.append(call)
                targets += to
            gc.collect()
            gc.freeze()  # as a node does that has run for a while: what lives long is not looked at again
            print(json.dumps(targets), flush=True)
            await asyncio.to_thread(sys.stdin.read)
            for media in (one for call in calls for one in call):
                await media.aclose()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))
