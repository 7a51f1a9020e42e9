"""What a man in the middle may say in the confirmation, on two legs that he has encrypted himself."""

import asyncio
from typing import ClassVar

from media.parties import Parties
from media.protocol.confirmation_messages import MAX_SIGNATURE_BYTES, Kind, Message
from media.protocol.transcript import statement
from tests.attack.middle import Leg, ManInTheMiddle, nonce
from tests.attack.rig import (
    CLOSED,
    FORGED,
    LATE,
    NOT_SIGNED,
    OTHER,
    OUT_OF_ORDER,
    SIGNED,
    UNSIGNED,
    WRONG,
    Name,
    People,
)
from tests.media.call_pair import FastEndorser


class Silence(ManInTheMiddle):
    """He confirms nothing."""

    says: ClassVar = {"caller": (LATE,), "callee": (LATE,)}


class RelayedSignatures(ManInTheMiddle):
    """He agrees with both by the rules, and gives each the signature that the other has made."""

    says: ClassVar = {"caller": (WRONG,), "callee": (WRONG,)}

    async def both_legs(self, near: Leg, far: Leg) -> None:
        """Take both signatures, then hand them over."""
        await near.agree(nonce())
        await far.agree(nonce())
        of_caller, of_callee = await near.wait_for(Kind.SIGNATURE), await far.wait_for(Kind.SIGNATURE)
        await near.send(Kind.SIGNATURE, of_callee)
        await far.send(Kind.SIGNATURE, of_caller)


class RelayedMessages(ManInTheMiddle):
    """He takes no part, and passes each message on as it is."""

    says: ClassVar = {"caller": (LATE, CLOSED), "callee": (FORGED,)}

    async def both_legs(self, near: Leg, far: Leg) -> None:
        """Copy both ways."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.copy(near, far))
            group.create_task(self.copy(far, near))

    async def copy(self, one: Leg, other: Leg) -> None:
        """Copy one way."""
        while True:
            await other.raw(await one.receive())


class SameNonces(RelayedSignatures):
    """He gives each the other's nonce as his own, as far as the order allows, and relays the signatures."""

    async def both_legs(self, near: Leg, far: Leg) -> None:
        """Commit to the callee only when the caller has revealed; the callee's nonce comes too late for the caller."""
        await near.wait_for(Kind.COMMIT)
        await near.send(Kind.NONCE, nonce())
        of_caller = await near.wait_for(Kind.REVEAL)
        await far.agree(of_caller)
        await near.send(Kind.SIGNATURE, await far.wait_for(Kind.SIGNATURE))
        await far.send(Kind.SIGNATURE, await near.wait_for(Kind.SIGNATURE))


class OwnSignature(ManInTheMiddle):
    """He signs with the key that he has."""

    says: ClassVar = {"caller": (WRONG,), "callee": (WRONG,)}

    async def one_leg(self, leg: Leg) -> None:
        """Agree, and sign as the other victim would."""
        agreement = await leg.agree(nonce())
        await leg.send(Kind.SIGNATURE, await self.signature(leg, agreement.session_hash))

    async def signature(self, leg: Leg, session_hash: bytes) -> bytes:
        """Return his own signature."""
        return await self.forger().sign(statement(leg.role, session_hash))


class SubstitutedKey(OwnSignature):
    """A first call: the directory and the INVITE have shown his key in place of the peer's. Only the words tell."""

    says: ClassVar = {"caller": (SIGNED,), "callee": (SIGNED,)}
    pinned: ClassVar = False

    def endorser(self, people: People, name: Name) -> FastEndorser:
        """Both victims were given his key."""
        return FastEndorser(getattr(people, name), people.mallory.public_key())


class SignatureOfAnotherCall(OwnSignature):
    """He has talked to both victims before, in his own name, and kept what they signed then."""

    async def signature(self, leg: Leg, _session_hash: bytes) -> bytes:
        """Return a good signature, by the right key, in the right role, over another session."""
        key: FastEndorser = self.rig.sides[leg.role].media._assurance._endorser  # type: ignore[assignment]
        return await key.sign(statement(leg.role, bytes(32)))


class SignatureOfAnotherRole(OwnSignature):
    """The right key has signed the right session: as caller where it should be callee, and the other way round."""

    async def signature(self, leg: Leg, session_hash: bytes) -> bytes:
        """Let the absent victim sign this very session in the wrong role. (Only an oracle could: it must not help.)"""
        key: FastEndorser = self.rig.sides[leg.role].media._assurance._endorser  # type: ignore[assignment]
        return await key.sign(statement(OTHER[leg.role], session_hash))


class ReflectedSignature(ManInTheMiddle):
    """He gives each victim its own signature back."""

    says: ClassVar = {"caller": (WRONG,), "callee": (WRONG,)}

    async def one_leg(self, leg: Leg) -> None:
        """Agree, wait, and reflect."""
        await leg.agree(nonce())
        await leg.send(Kind.SIGNATURE, await leg.wait_for(Kind.SIGNATURE))


class ReflectedMessages(ManInTheMiddle):
    """He sends each message back to where it came from."""

    says: ClassVar = {"caller": (OUT_OF_ORDER,), "callee": (OUT_OF_ORDER,)}

    async def far_leg(self, far: Leg) -> None:
        """Begin, since the callee waits."""
        await far.send(Kind.COMMIT, far.transcript.commitment(nonce()))
        await self.one_leg(far)

    async def one_leg(self, leg: Leg) -> None:
        """Reflect."""
        while True:
            await leg.raw(await leg.receive())


class NoSignature(ManInTheMiddle):
    """He says that he cannot sign, as a node without its key does."""

    says: ClassVar = {"caller": (NOT_SIGNED,), "callee": (NOT_SIGNED,)}

    async def one_leg(self, leg: Leg) -> None:
        """Agree, and send an empty signature."""
        await leg.agree(nonce())
        await leg.send(Kind.SIGNATURE)


class NoSignatureToStrangers(NoSignature):
    """The same in a first call: both are told that it is not signed, and see words that differ."""

    says: ClassVar = {"caller": (UNSIGNED,), "callee": (UNSIGNED,)}
    pinned: ClassVar = False


class DoneWithoutSignature(ManInTheMiddle):
    """He thanks for a signature before there was one, and hopes that the victim skips a step."""

    says: ClassVar = {"caller": (OUT_OF_ORDER,), "callee": (OUT_OF_ORDER,)}

    async def one_leg(self, leg: Leg) -> None:
        """Say DONE at once."""
        await leg.send(Kind.DONE)


class SignatureFirst(ManInTheMiddle):
    """He sends a signature before anything has been agreed on."""

    says: ClassVar = {"caller": (OUT_OF_ORDER,), "callee": (OUT_OF_ORDER,)}

    async def one_leg(self, leg: Leg) -> None:
        """Skip three messages."""
        await leg.send(Kind.SIGNATURE, bytes(64))


class SecondNonce(ManInTheMiddle):
    """He changes his mind: another NONCE after the REVEAL, another COMMIT after the NONCE."""

    says: ClassVar = {"caller": (OUT_OF_ORDER,), "callee": (OUT_OF_ORDER,)}

    async def near_leg(self, near: Leg) -> None:
        """Ask the caller for another result."""
        await near.agree(nonce())
        await near.send(Kind.NONCE, nonce())

    async def far_leg(self, far: Leg) -> None:
        """Commit again, now that the callee's nonce is known."""
        await far.send(Kind.COMMIT, far.transcript.commitment(nonce()))
        await far.wait_for(Kind.NONCE)
        await far.send(Kind.COMMIT, far.transcript.commitment(nonce()))


class SecondSignature(ManInTheMiddle):
    """First none, then one: a stranger's trust cannot be raised afterwards by a key that he has."""

    says: ClassVar = {"caller": (OUT_OF_ORDER,), "callee": (OUT_OF_ORDER,)}
    pinned: ClassVar = False

    async def one_leg(self, leg: Leg) -> None:
        """Say that there is none, then give one."""
        agreement = await leg.agree(nonce())
        await leg.send(Kind.SIGNATURE)
        await leg.wait_for(Kind.DONE)
        signature = await self.forger().sign(statement(leg.role, agreement.session_hash))
        await leg.send(Kind.SIGNATURE, signature)


class GroundWords(ManInTheMiddle):
    """CVE-2016-6271: he tries nonces until both victims see the same first word, in spite of his commitment."""

    says: ClassVar = {"caller": (LATE, CLOSED), "callee": (FORGED,)}

    async def both_legs(self, near: Leg, far: Leg) -> None:
        """Let the caller's words be settled first, then look for a nonce that gives the callee the same."""
        wanted = (await near.agree(nonce())).short_string
        await far.send(Kind.COMMIT, far.transcript.commitment(nonce()))
        theirs = await far.wait_for(Kind.NONCE)
        ground = nonce()
        while far.transcript.agreement(ground, theirs).short_string[:1] != wanted[:1]:
            ground = nonce()
        await far.send(Kind.REVEAL, ground)


class GroundWordsOfStrangers(GroundWords):
    """The same in a first call: the callee ends it, so there is nobody to compare with."""

    says: ClassVar = {"caller": (UNSIGNED,), "callee": (FORGED,)}
    pinned: ClassVar = False


class ReplayedConfirmation(ManInTheMiddle):
    """He plays what he heard in another session of the same two: commitment, nonce and signature."""

    says: ClassVar = {"caller": (WRONG,), "callee": (FORGED,)}

    async def near_leg(self, near: Leg) -> None:
        """A callee's part needs no commitment, so the nonce passes; the signature does not."""
        await near.agree(b"\x11" * 32)
        key: FastEndorser = self.rig.callee.media._assurance._endorser  # type: ignore[assignment]
        await near.send(Kind.SIGNATURE, await key.sign(statement("callee", b"\x22" * 32)))

    async def far_leg(self, far: Leg) -> None:
        """A caller's part fails at the commitment, which covers the session."""
        old = type(far.transcript).of(bytes(32), bytes(64))
        await far.send(Kind.COMMIT, old.commitment(b"\x33" * 32))
        await far.wait_for(Kind.NONCE)
        await far.send(Kind.REVEAL, b"\x33" * 32)


class Malformed(ManInTheMiddle):
    """He sends what no version of the protocol knows."""

    says: ClassVar = {"caller": (OUT_OF_ORDER,), "callee": (OUT_OF_ORDER,)}
    data: ClassVar[bytes]

    async def one_leg(self, leg: Leg) -> None:
        """Send it."""
        await leg.raw(self.data)


class OtherVersion(Malformed):
    """A message of a version that does not exist: there is none to fall back to."""

    data: ClassVar = b"\x00" + bytes(Message(Kind.DONE))[1:]


class GoClear(Malformed):
    """ZRTP's GoClear (RFC 6189 section 4.7.2), translated: a request to go on without encryption."""

    data: ClassVar = b"\x01\x06\x00\x07GoClear"


class RelayedWords(Malformed):
    """ZRTP's SAS relay (RFC 6189 section 7.3), translated: words that a trusted middle asks to be shown instead."""

    data: ClassVar = b"\x01\x07\x00\x04\x5a\xb1\x86\x4c"


class ZeroNonce(OwnSignature):
    """ZRTP clients took degenerate public values. Ours: the nonce of zeros is a nonce; it gives him nothing."""

    async def one_leg(self, leg: Leg) -> None:
        """Agree with zeros, sign with the only key there is."""
        agreement = await leg.agree(bytes(32))
        await leg.send(Kind.SIGNATURE, await self.signature(leg, agreement.session_hash))


class LongSignature(Malformed):
    """A signature longer than any."""

    data: ClassVar = b"\x01\x04" + (MAX_SIGNATURE_BYTES + 1).to_bytes(2) + bytes(MAX_SIGNATURE_BYTES + 1)


class Flood(ManInTheMiddle):
    """He sends a thousand good beginnings, and never goes on."""

    says: ClassVar = {"caller": (LATE,), "callee": (LATE,)}

    async def near_leg(self, near: Leg) -> None:
        """Answer the caller's commitment again and again."""
        await self.repeat(near, Kind.NONCE, nonce())

    async def far_leg(self, far: Leg) -> None:
        """Commit again and again."""
        await self.repeat(far, Kind.COMMIT, far.transcript.commitment(nonce()))

    async def repeat(self, leg: Leg, kind: Kind, body: bytes) -> None:
        """Send it a thousand times."""
        if kind is Kind.NONCE:
            await leg.wait_for(Kind.COMMIT)
        for _ in range(1_000):
            await leg.send(kind, body)


class OtherParties(RelayedSignatures):
    """Unknown key share with own encryption: each victim is told that the call is with the attacker himself."""

    says: ClassVar = {"caller": (WRONG,), "callee": (WRONG,)}

    def parties(self, name: Name) -> Parties:
        """Each victim believes in Mallory as its peer, and expects his signature."""
        own = super().parties(name)
        alice, bob = own.caller_fingerprint, own.callee_fingerprint
        if name == "caller":
            return Parties(alice, "C" * 40, own.caller_node_id, b"m" * 20)
        return Parties("C" * 40, bob, b"m" * 20, own.callee_node_id)

    def endorser(self, people: People, name: Name) -> FastEndorser:
        """Each victim expects Mallory; what the other victim signs for Mallory is no good here."""
        return FastEndorser(getattr(people, name), people.mallory.public_key())


ATTACKS: tuple[type[ManInTheMiddle], ...] = (
    Silence, RelayedSignatures, RelayedMessages, SameNonces, OwnSignature, SubstitutedKey, SignatureOfAnotherCall,
    SignatureOfAnotherRole, ReflectedSignature, ReflectedMessages, NoSignature, NoSignatureToStrangers,
    DoneWithoutSignature, SignatureFirst, SecondNonce, SecondSignature, GroundWords, GroundWordsOfStrangers,
    ReplayedConfirmation, OtherVersion, GoClear, RelayedWords, ZeroNonce, LongSignature, Flood, OtherParties,
)  # fmt: skip
