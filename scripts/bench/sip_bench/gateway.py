"""Our gateway alone, in a process of its own: many users, media that only passes descriptions on, no mesh.

Prints its port; runs until its standard input closes.
"""

import asyncio
import json
import sys
from dataclasses import dataclass

import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sipgate.events import GatewayEvent
from sipgate.gateway import Gateway
from sipgate.ports import CallMedia, IncomingCaller, LocalUser, MediaContext, Peer, Refusal


@dataclass
class Users:
    """`count` callers c0, c1 ... and as many callees v0, v1 ..., each with the secret `<name>-pw`."""

    count: int

    def __post_init__(self) -> None:
        names = [f"{kind}{number}" for kind in "cv" for number in range(self.count)]
        self._by_name = {
            name: LocalUser(f"sip:{name}@mesh", name, name, b"key", b"delegation", f"{name}-pw")
            for name in names
        }

    def by_username(self, username: str) -> LocalUser | None:
        """Return the user with that name."""
        return self._by_name.get(username)

    def by_uri(self, uri: str) -> LocalUser | None:
        """Return the user with that address."""
        return self._by_name.get(uri.removeprefix("sip:").removesuffix("@mesh"))


class Nobody:
    """No mesh: nobody is found there, nobody comes from there, and no call needs media."""

    async def resolve(self, uri: str) -> Peer:
        """Find nobody."""
        raise Refusal(404, f"Nobody is called {uri}")

    async def admit(self, caller: IncomingCaller) -> Peer:
        """Let nobody in."""
        raise Refusal(403, f"Nobody knows {caller.uri}")

    async def open(self, context: MediaContext) -> CallMedia:
        """Carry nothing."""
        raise Refusal(488, f"No media for {context.call_id}")


def ignore(event: GatewayEvent) -> None:
    """Tell nobody."""


async def main(count: int) -> None:
    """Serve until standard input closes."""
    nobody = Nobody()
    gateway = Gateway(
        node_key=Ed25519PrivateKey.generate(),
        accounts=Users(count),
        directory=nobody,
        admission=nobody,
        media=nobody,
        services=lambda _uri: None,
        on_event=ignore,
    )
    async with gateway:
        port = await gateway.listen_phones("127.0.0.1", 0)
        print(json.dumps({"port": port}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # the loop that a node has
        runner.run(main(int(sys.argv[1])))
