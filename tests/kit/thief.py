"""An attacker between two nodes: he has stolen both *node* keys, but not the people's OpenPGP keys.

That is the most that anybody can have short of the people's own keys: he signs node records (so he controls where the
DHT says that the callee's node is), ends TLS in both directions, signs each request as either node, and has his own
DTLS on both legs. He answers the caller as the callee, calls the callee as the caller, and hands on whatever the
victims sign.

Run as a program of its own: `python -m tests.kit.thief --caller DIR --callee DIR --listen HOST:PORT --at HOST:PORT`.
"""

import argparse
import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from freecall.mesh_media import GatewayCallMedia
from freecall.supervise import Supervisor, guarded
from media.call_media import CallMedia
from media.parties import Parties
from overlay.identity import NodeKey
from overlay.overlay import Overlay
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.sealed_blob import unseal_blob
from sipgate import ports as gateway_ports
from sipgate.gateway import Gateway
from sipgate.ports import IncomingCaller, LocalUser, MediaContext, MediaRefused, Peer, PhoneSide, Refusal
from trust.delegation import SignedDelegation
from trust.protocol.packed_key import unpack

LOOPBACK = "127.0.0.1"


@dataclass
class Victim:
    """What the thief knows of one of the two: the stolen node key, and what is public."""

    name: str
    node_key: NodeKey
    delegation: SignedDelegation
    openpgp_key: bytes = b""

    @classmethod
    def of(cls, data: Path) -> "Victim":
        """Steal from a data directory."""
        key = NodeKey.from_seed((data / "node.key").read_bytes())
        delegation = SignedDelegation.parse((data / "delegation").read_bytes())
        return cls((data / "name").read_text().strip(), key, delegation)

    @property
    def uri(self) -> str:
        """The mesh URI."""
        return f"sip:{self.name}@mesh"

    def user(self) -> LocalUser:
        """Return the victim as a user of the thief's gateway."""
        return LocalUser(self.uri, self.name, self.name, self.openpgp_key, bytes(self.delegation), "unused")

    def peer(self, endpoints: tuple[tuple[str, int], ...] = ()) -> Peer:
        """Return the victim as somebody whom the thief's gateway knows."""
        key = self.node_key.public_key
        return Peer(
            self.uri, self.name, "pinned", self.delegation.fingerprint, key, known=True, endpoints=endpoints
        )


@dataclass
class Pipe:
    """Hands the signatures that one victim makes to the other; believes anything."""

    signatures: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    other: "Pipe | None" = None

    async def sign(self, _statement: bytes) -> bytes:
        """Give what the victim on the other side has signed."""
        return await self.signatures.get()

    async def verify(self, _statement: bytes, signature: bytes) -> bool:
        """Take a victim's signature, and pass it on."""
        assert self.other is not None
        self.other.signatures.put_nowait(signature)
        return True


class Thief:
    """Answers all four ports of the two gateways, and is the party in the middle of each call."""

    def __init__(
        self, caller: Victim, callee: Victim, callee_at: tuple[str, int], supervisor: Supervisor
    ) -> None:
        self.caller = caller
        self.callee = callee
        self._callee_at = callee_at
        self._supervisor = supervisor
        self._pipes: dict[str, Pipe] = {}
        self.onward: Gateway | None = None

    def new_pipes(self) -> None:
        """Begin a call: two pipes, each the other's end."""
        one, two = Pipe(), Pipe()
        one.other, two.other = two, one
        self._pipes = {"callee": one, "caller": two}

    async def resolve(self, _uri: str) -> Peer:
        """Send the call on to where the callee really is."""
        return self.callee.peer((self._callee_at,))

    async def between(self, _calling: PhoneSide, _called: PhoneSide) -> gateway_ports.CallMedia:
        """Nobody calls within a node here."""
        raise MediaRefused(488, "Nobody calls within a node here")

    async def admit(self, caller: IncomingCaller) -> Peer:
        """Let the caller in."""
        if caller.uri != self.caller.uri:
            raise Refusal(403, "Only the victim is of interest")
        return self.caller.peer()

    def by_username(self, _username: str) -> LocalUser | None:
        """No phones."""
        return None

    def by_uri(self, uri: str) -> LocalUser | None:
        """Be whichever of the two is asked for."""
        return {victim.uri: victim.user() for victim in (self.caller, self.callee)}.get(uri)

    async def open(self, context: MediaContext) -> GatewayCallMedia:
        """Open media whose confirmation relays the victims' own signatures."""
        if context.role == "callee":
            self.new_pipes()
        media = CallMedia(
            role=context.role,
            call_id=context.call_id,
            parties=Parties(
                self.caller.delegation.fingerprint,
                self.callee.delegation.fingerprint,
                self.caller.node_key.node_id,
                self.callee.node_key.node_id,
            ),
            endorser=self._pipes[context.role],
            phone_host=LOOPBACK,
            phone_allowed=frozenset({LOOPBACK}),
            mesh_addresses=[self._own_address],
            early=True,
            mute_until_confirmed=False,
            on_event=lambda _event: None,
        )
        self._supervisor.start(self._run(media, self._pipes[context.role]), name="media of the thief")
        return GatewayCallMedia(media)

    async def _run(self, media: CallMedia, pipe: Pipe) -> None:
        """Carry one side; when that victim hangs up unsigned, the other gets something that is no signature."""
        try:
            await media.run()
        finally:
            assert pipe.other is not None
            pipe.other.signatures.put_nowait(b"the victim did not sign")

    @property
    def _own_address(self) -> str:
        return self.listening[0]

    listening: tuple[str, int] = ("", 0)


class Onward:
    """The call to the callee, in place of a phone: what the caller offered, and what the callee answers."""

    def __init__(self, offer: bytes) -> None:
        self._offer = offer
        self.answer_to_it: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def offer(self) -> bytes:
        """Offer what the caller did."""
        return self._offer

    async def answer(self, offer: bytes) -> bytes:
        """Never asked."""
        return offer

    async def answered(self, answer: bytes) -> None:
        """Keep the callee's answer for the caller."""
        self.answer_to_it.set_result(answer)

    async def aclose(self) -> None:
        """Tell a waiting side that nothing will come."""
        if not self.answer_to_it.done():
            self.answer_to_it.cancel()


class Inward:
    """The callee, as the caller hears him."""

    def __init__(self, thief: Thief) -> None:
        self._thief = thief

    async def offer(self) -> bytes:
        """Never asked."""
        return b""

    async def answer(self, offer: bytes) -> bytes:
        """Call the callee with the caller's offer; answer with the callee's answer."""
        onward = Onward(offer)
        assert self._thief.onward is not None
        await self._thief.onward.place_call(self._thief.caller.uri, self._thief.callee.uri, onward)
        return await onward.answer_to_it

    async def answered(self, _answer: bytes) -> None:
        """Never told."""

    async def aclose(self) -> None:
        """Nothing to free."""


class HighNumbers:
    """A sequence store that outruns every honest node: the newest record wins."""

    def load(self) -> bytes:
        """Start far ahead."""
        return b"1000000000000"

    def save(self, data: bytes) -> None:
        """Keep nothing."""


def gateway(thief: Thief, posing_as: Victim) -> Gateway:
    """Return a gateway that signs with a stolen node key."""
    return Gateway(
        node_key=posing_as.node_key.private_key,
        accounts=thief,
        directory=thief,
        admission=thief,
        media=thief,
        services={thief.callee.uri: lambda: Inward(thief)}.get,
        on_event=lambda event: print(event, flush=True),
        supervise=guarded,
    )


async def steal(
    caller: Victim, callee: Victim, listen: Endpoint, callee_at: Endpoint, bootstrap: Endpoint
) -> None:
    """Put the DHT right for the attack, and stand between until killed."""
    async with asyncio.TaskGroup() as group:
        thief = Thief(caller, callee, (callee_at.host, callee_at.port), Supervisor(group))
        thief.listening = (listen.host, listen.port)
        overlay = Overlay(
            callee.node_key, listen=[listen], bootstrap=[bootstrap, callee_at], sequence=HighNumbers()
        )
        async with overlay, gateway(thief, callee) as inward, gateway(thief, caller) as onward:
            await inward.listen_mesh(listen.host, listen.port)
            thief.onward = onward
            await overlay.join()
            for victim in (caller, callee):
                (found,) = (await overlay.resolve(victim.uri)).claims
                sealed = await overlay.fetch_blob(found.claim.key_blob)
                victim.openpgp_key = unpack(unseal_blob(victim.uri, sealed)) if sealed else b""
            await overlay.publish_node([listen])
            print("ready", flush=True)
            await asyncio.Event().wait()


def main() -> None:
    """Run the attack."""
    command = argparse.ArgumentParser()
    for option in ("--caller", "--callee"):
        command.add_argument(option, type=Path, required=True)
    for option in ("--listen", "--at", "--bootstrap"):
        command.add_argument(option, type=Endpoint.parse, required=True)
    given = command.parse_args()
    asyncio.run(
        steal(Victim.of(given.caller), Victim.of(given.callee), given.listen, given.at, given.bootstrap)
    )


if __name__ == "__main__":
    main()
