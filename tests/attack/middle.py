"""A man in the middle: he answers Alice as Bob and calls Bob as Alice, with encryption of his own on both legs.

Whatever he wants to say in the confirmation, he says: `near` is the leg to the caller, `far` that to the callee. He
has all secrets of both DTLS sessions, so he can compute everything but a signature.
"""

import asyncio
import secrets
from dataclasses import dataclass

from media.call_media import CallMedia
from media.errors import MediaError
from media.mesh_leg import MeshLeg
from media.parties import Parties
from media.protocol.confirmation_messages import Kind, Message
from media.protocol.transcript import Agreement, Role, Transcript
from tests.attack.rig import Attack, Name, Rig
from tests.media.call_pair import FastEndorser, make_media


@dataclass
class Leg:
    """His side of one leg, from the moment when it has keys."""

    mesh: MeshLeg
    transcript: Transcript
    role: Role

    async def send(self, kind: Kind, body: bytes = b"") -> None:
        """Send one message."""
        await self.raw(bytes(Message(kind, body)))

    async def raw(self, data: bytes) -> None:
        """Send any bytes as one record."""
        assert self.mesh.session is not None
        await self.mesh.session.send(data)

    async def receive(self) -> bytes:
        """Take whatever comes next."""
        return await self.mesh.inbox.get()

    async def wait_for(self, kind: Kind) -> bytes:
        """Return the body of the next message of that kind; others (repeats, mostly) are passed over."""
        while True:
            message = Message.parse(await self.receive())
            if message.kind is kind:
                return message.body

    async def agree(self, nonce: bytes) -> Agreement:
        """Play the first three messages by the rules; what the victim will show is known then."""
        if self.role == "caller":
            await self.send(Kind.COMMIT, self.transcript.commitment(nonce))
            theirs = await self.wait_for(Kind.NONCE)
            await self.send(Kind.REVEAL, nonce)
            return self.transcript.agreement(nonce, theirs)
        await self.wait_for(Kind.COMMIT)
        await self.send(Kind.NONCE, nonce)
        return self.transcript.agreement(await self.wait_for(Kind.REVEAL), nonce)


class Nobody:
    """His media never run a confirmation of their own."""

    async def sign(self, _statement: bytes) -> bytes:
        """Never asked."""
        raise NotImplementedError

    async def verify(self, _statement: bytes, _signature: bytes) -> bool:
        """Never asked."""
        raise NotImplementedError


class ManInTheMiddle(Attack):
    """Own DTLS on both legs. Each attack says what he does there, by `near_leg` and `far_leg` or `both_legs`."""

    rig: Rig
    near: CallMedia
    far: CallMedia
    thrown_out: BaseExceptionGroup[MediaError] | None = None

    async def play(self, rig: Rig) -> None:
        """Take the call apart into two, then let each leg be attacked as soon as it has keys."""
        self.rig = rig
        legs: dict[str, asyncio.Future[Leg]] = {
            side: asyncio.get_running_loop().create_future() for side in ("near", "far")
        }
        near, far = self.media("callee", legs["near"]), self.media("caller", legs["far"])
        for media in (near, far):
            rig.run(media)
        self.near, self.far = near, far
        await self.signal(near, far)
        rig.start(self.confirm(legs["near"], legs["far"]))

    def media(self, role: Role, keyed: asyncio.Future[Leg]) -> CallMedia:
        """Return his end of one leg; it confirms nothing by itself."""
        parties, call_id = self.towards(role), self.call_id("caller" if role == "callee" else "callee")
        media = make_media(
            role, Nobody(), lambda _event: None, parties=parties, call_id=call_id, mute_until_confirmed=False
        )
        assurance = media._assurance

        def note(leg: MeshLeg) -> None:
            assert leg.session is not None
            keyed.set_result(Leg(leg, assurance._transcript(leg, leg.session), role))

        assurance.gate.is_open = (
            False  # what he hears goes no further: it would disturb other calls on this loopback
        )
        assurance.keyed = note  # type: ignore[method-assign]
        return media

    def towards(self, role: Role) -> Parties:
        """Return what the victim on that leg believes."""
        victim: Name = "caller" if role == "callee" else "callee"
        return self.parties(victim)

    def opened(self, media: CallMedia) -> None:
        """Change something in one of his ends, whose sockets are open."""

    async def signal(self, near: CallMedia, far: CallMedia) -> None:
        """Carry INVITE and 180, both with his own certificates and addresses in them."""
        rig = self.rig
        to_caller, to_callee = await rig.tap(), await rig.tap()
        offer = await rig.caller.media.offer_from_phone(rig.caller.phone.sdp())
        onward = await far.offer_from_phone(await near.offer_from_mesh(to_caller.rewrite("caller", offer)))
        self.opened(near)
        self.opened(far)
        await rig.callee.media.offer_from_mesh(self.invite(to_callee.rewrite("caller", onward), offer))
        mine, theirs = near.transport_fragment(), rig.callee.media.transport_fragment()
        assert mine is not None
        assert theirs is not None
        ringing = self.ringing(to_caller.rewrite("callee", mine), theirs)
        with rig.refusal("caller"):
            await rig.caller.media.transport_from_mesh(ringing)
        if rig.refused["caller"]:
            return
        await far.transport_from_mesh(to_callee.rewrite("callee", theirs))

    def invite(self, own: bytes, _victims: bytes) -> bytes:
        """Return the INVITE that the callee gets."""
        return own

    def ringing(self, own: bytes, _victims: bytes) -> bytes:
        """Return the transport that the caller gets in the 180."""
        return own

    async def confirm(self, near: asyncio.Future[Leg], far: asyncio.Future[Leg]) -> None:
        """Attack both legs, until they are gone."""
        try:
            await self.both_legs(await near, await far)
        except* MediaError as gone:
            self.thrown_out = gone

    async def both_legs(self, near: Leg, far: Leg) -> None:
        """Attack each leg by itself, at the same time."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.near_leg(near))
            group.create_task(self.far_leg(far))

    async def near_leg(self, near: Leg) -> None:
        """Attack the caller."""
        await self.one_leg(near)

    async def far_leg(self, far: Leg) -> None:
        """Attack the callee."""
        await self.one_leg(far)

    async def one_leg(self, leg: Leg) -> None:
        """Attack one of the two; by default, say nothing at all."""

    def forger(self) -> FastEndorser:
        """Return the one key that he has."""
        return FastEndorser(self.rig.people.mallory, self.rig.people.caller.public_key())


def nonce() -> bytes:
    """Return a nonce."""
    return secrets.token_bytes(32)
