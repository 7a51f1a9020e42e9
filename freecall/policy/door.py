"""Answers the gateway's `Doorkeeper` port by the ladder, and keeps blocked people out of its other ports."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from freecall.errors import NotAMeshUri
from freecall.mesh_uri import canonical
from sipgate.ports import Admission, IncomingCaller, Peer, Refusal
from trust.delegation import DelegationRefused, SignedDelegation

from .blocks import BlockList
from .budget import Budget
from .ladder import Answer, Ladder, Rung, Verdict
from .puzzle import Parties, Puzzles

NO_SHOW = "The caller could not show who they are"


class Door:
    """Judges a caller by what they claim: only those who may ring here are worth the check of their key.

    `rank` says how well a key is known under a name. `name` is what callers know our user by. Nothing is kept
    of those who are turned away but their number.
    """

    def __init__(
        self,
        name: str,
        ladder: Ladder,
        puzzles: Puzzles,
        rank: Callable[[str, str], Awaitable[Rung]],
        *,
        clock: Callable[[], float],
        salt: Callable[[], bytes],
        turned_away: Callable[[], None],
    ) -> None:
        self._name = name
        self._ladder = ladder
        self._puzzles = puzzles
        self._rank = rank
        self._clock = clock
        self._salt = salt
        self._turned_away = turned_away

    async def knock(self, caller: IncomingCaller) -> None:
        """Let contacts in, and strangers as the ladder says.

        Raises:
            Refusal: 401 to work first, 403 no strangers, 433 nobody anonymous, 480 to write, or to call again later.
        """
        uri, fingerprint = _claimed(caller)
        rung = await self._rank(uri, fingerprint)
        parties, now = Parties(caller.called_uri, fingerprint), self._clock()
        has_worked = bool(caller.proof) and self._puzzles.accepts(caller.proof, parties, now)
        verdict = self._ladder.judge(
            rung, fingerprint, caller.remote_host, now, proof=caller.proof, has_worked=has_worked, call=caller
        )
        if verdict.answer is Answer.RING:
            return
        if verdict.answer is not Answer.WORK:
            self._turned_away()
        raise self._refusal(verdict, parties, now)

    def give_back(self, caller: IncomingCaller) -> None:
        """Whoever was let in could not show their key, or is blocked: it costs other strangers nothing."""
        self._ladder.give_back(caller)

    def _refusal(self, verdict: Verdict, parties: Parties, now: float) -> Refusal:
        match verdict.answer:
            case Answer.WAIT:
                minutes = int(verdict.seconds // 60) + 1
                return Refusal(
                    480,
                    f"{self._name} takes few calls from strangers. Write a message, or call in {minutes} min.",
                    retry_after=int(verdict.seconds) + 1,
                )
            case Answer.MESSAGE:
                return Refusal(480, f"{self._name} takes no calls from strangers. Leave a message instead.")
            case Answer.WORK:
                challenge = self._puzzles.challenge(parties, verdict.bits, self._salt(), now)
                return Refusal(401, f"{self._name} asks strangers to work first", challenge=challenge)
            case Answer.REFUSE_ANONYMOUS:
                return Refusal(433, f"{self._name} takes no anonymous calls. Call with your name.")
            case _:
                return Refusal(403, f"{self._name} takes calls only from people they know")


def _claimed(caller: IncomingCaller) -> tuple[str, str]:
    try:
        return canonical(caller.uri), SignedDelegation.parse(caller.delegation).fingerprint
    except (NotAMeshUri, DelegationRefused) as error:
        raise Refusal(403, f"{NO_SHOW}: {error}") from error


@dataclass(frozen=True)
class GuardedAdmission:
    """An `Admission` to ring and to write: whoever is blocked hears what everybody hears while no phone is on.

    Their letters are let in: to be left unread (`letter_inbox.py`), as if they waited for a phone. What strangers
    write has a budget of its own; what is over it stays with the writer's node, which tries again.
    """

    admission: Admission
    blocks: BlockList
    door: Door
    name: str
    texts: Budget
    clock: Callable[[], float]
    is_stranger: Callable[[Peer], bool]
    admitted: Callable[[Peer], None]

    async def admit(self, caller: IncomingCaller) -> Peer:
        """See `Admission.admit`."""
        try:
            peer = await self.admission.admit(caller)
        except Refusal:
            self.door.give_back(caller)
            raise
        if caller.purpose == "call" and peer.fingerprint in self.blocks:
            self.door.give_back(caller)
            raise Refusal(480, f"No phone of {self.name} is switched on")
        if caller.purpose == "text" and self.is_stranger(peer):
            self._count(peer, caller.remote_host)
        self.admitted(peer)
        return peer

    def _count(self, peer: Peer, host: str) -> None:
        now = self.clock()
        if wait := self.texts.wait(peer.fingerprint, host, now):
            reason = f"{self.name} takes few messages from strangers, and has had them for now"
            raise Refusal(480, reason, retry_after=int(wait) + 1)
        self.texts.take(peer.fingerprint, host, now)


@dataclass(frozen=True)
class UnseenByBlocked:
    """An `Admission` to see: whoever is blocked is somebody new."""

    admission: Admission
    blocks: BlockList

    async def admit(self, caller: IncomingCaller) -> Peer:
        """See `Admission.admit`."""
        peer = await self.admission.admit(caller)
        return replace(peer, trust="new", known=False) if peer.fingerprint in self.blocks else peer
