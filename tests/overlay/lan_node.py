"""A node that knows nobody but the LAN, as a program: prints what happens, one JSON object a line.

python -m tests.overlay.lan_node OWN_NAME NAME_TO_FIND [--uvloop]
"""

import asyncio
import json
import signal
import sys

from overlay.addresses import reachable_endpoints
from overlay.errors import OverlayError
from overlay.identity import NodeKey
from overlay.overlay import Overlay
from overlay.protocol.endpoint import Endpoint
from tests.overlay.swarm import claim_of


def say(**fields: object) -> None:
    """Print one event."""
    print(json.dumps({**fields, "at": asyncio.get_running_loop().time()}), flush=True)


async def find(overlay: Overlay, uri: str) -> None:
    """Look until the name is found."""
    while True:
        try:
            if (await overlay.resolve(uri)).claims:
                return
        except OverlayError:
            pass
        await asyncio.sleep(0.02)


async def main(own: str, wanted: str) -> None:
    """Run until SIGINT."""
    stop = asyncio.Event()
    asyncio.get_running_loop().slow_callback_duration = 5.0  # the machine may be busy: that is no complaint
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    key = NodeKey.generate()
    say(event="start")
    async with Overlay(key, listen=[Endpoint("0.0.0.0", 7350)], lan=True) as overlay:
        contacts = await overlay.join()
        say(event="joined", contacts=contacts)
        await overlay.publish_node(reachable_endpoints(overlay.addresses))
        await overlay.publish_claim(own, claim_of(key))
        await find(overlay, wanted)
        say(event="found")
        await stop.wait()
        say(event="stopping")
    say(event="stopped", tasks=len(asyncio.all_tasks()) - 1)


if __name__ == "__main__":
    if "--uvloop" in sys.argv:
        import uvloop

        uvloop.run(main(*sys.argv[1:3]))
    else:
        asyncio.run(main(*sys.argv[1:3]))
