"""One call: takes what its legs tell, asks the table in `protocol/b2bua.py`, does what it says.

One event at a time, in the order of arrival: so a CANCEL and an answer never cross inside the node. What
takes long (looking the callee up, inviting, hanging up) runs in tasks of the call and comes back as an event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from sipgate.call_rules import Forwarded
from sipgate.events import CallAnswered, CallEnded, CallForwarded, CallRefused, Direction, GatewayEvent
from sipgate.ports import MediaRefused, Refusal
from sipgate.protocol.b2bua import Action, Input, State, step
from sipgate.protocol.refer import Refer

from .cause import ELSEWHERE, Cause, why_unwanted
from .ending import Ending
from .happenings import Callee, Event, NotFound, Proven, Search, Stopped
from .inviting import Inviting
from .joint import Joint
from .leg import (
    Acked,
    Answered,
    CalleeLeg,
    CallerLeg,
    Cancelled,
    Failed,
    Gone,
    HungUp,
    Leg,
    NotAcked,
    Payload,
    Progress,
    Reply,
)
from .reoffer import CALL_ENDED, Reoffers
from .ringing import Ringing
from .seeking import Seeking
from .transfer import Exchange, Transfers


class Call:
    """A call through this node. `search` finds whom to invite."""

    def __init__(
        self,
        call_id: str,
        *,
        direction: Direction,
        caller: CallerLeg,
        target: str,
        search: Search,
        ring_timeout: float,
        on_event: Callable[[GatewayEvent], None],
        exchange: Exchange,
    ) -> None:
        self.id = call_id
        self.direction: Direction = direction
        self.peer_uri = target
        self.state = State.RESOLVING
        self._seeking = Seeking(call_id, search)
        self._a = caller
        self._b: CalleeLeg | None = None
        self._ring_timeout = ring_timeout
        self._on_event = on_event
        self._mailbox: asyncio.Queue[Event] = asyncio.Queue()
        self._confirmed = asyncio.Event()
        self._ending = Ending(call_id, direction, on_event)
        self._cause = Cause(500, "The call ended through a fault of this node")
        self._callee: Callee | None = None
        self._inviting = Inviting()
        self._ringing = Ringing(call_id, direction, caller, on_event)
        self._refusal = Refusal(500, self._cause.text)
        self._answer = b""
        self._stray: CalleeLeg | None = None
        self._beside: set[asyncio.Task[None]] = set()
        self._reoffers = Reoffers()
        self._transfers = Transfers(exchange)
        self._lent: set[Leg] = set()

    # -- what the owner may do

    async def wait_ended(self) -> CallEnded | CallRefused:
        """Wait until the call is over; tell how it ended."""
        return await self._ending.wait()

    async def hang_up(self, reason: str) -> None:
        """End the call from this node; returns when it is over (the parties' last words may still be due)."""
        self.post(Stopped(Input.HANG_UP, Cause(480 if self._b is None else 200, reason)))
        await self._ending.wait()

    async def confirmed(self) -> bool:
        """Wait until the caller has confirmed the answer, or the call is over; tell whether it stands."""
        await self._confirmed.wait()
        return self.state is State.ESTABLISHED

    # -- what the legs see (leg.Junction)

    @property
    def joint(self) -> Joint:
        """What turns one side's SDP into the other's."""
        return self._seeking.joint

    def post(self, event: Event) -> None:
        """Put an event in the queue of the call."""
        self._mailbox.put_nowait(event)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something for a leg until the call is over."""
        task = self._tasks.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    async def reoffer(self, leg: Leg, method: str, sdp: bytes) -> Reply:
        """Pass a changed session to the other leg."""
        return await self._reoffers.relay(self, leg, method, sdp)

    async def cancel_reoffer(self, leg: Leg) -> None:
        """Take the pending change back."""
        await self._reoffers.cancel(self, leg)

    async def pass_on(self, leg: Leg, method: str, payload: Payload) -> Reply:
        """Pass INFO and the like to the other leg."""
        other = self.other(leg)
        if other is None or not await self.confirmed():
            return Reply(500, "The call is not answered yet")
        return await other.pass_on(method, payload)

    async def refer(self, leg: Leg, refer: Refer) -> Reply:
        """Let the party beyond call somebody else."""
        return (
            await self._transfers.refer(self.joined(), leg, refer) if await self.confirmed() else CALL_ENDED
        )

    async def reported(self, leg: Leg, status: int, text: str) -> None:  # noqa: ARG002 - there is one transfer only
        """Take what the other node tells of a transfer."""
        await self._transfers.reported(status, text)

    def other(self, leg: Leg) -> Leg | None:
        """Return the leg that `leg` is joined with; one that is lent to another call is joined with nothing."""
        if self._b is None or self._lent:
            return None
        if leg is self._a:
            return self._b
        return self._a if leg is self._b else None

    # -- what other calls see (borrowed.Lender), and who moves phones between calls

    @property
    def is_anonymous(self) -> bool:
        """Whether our user calls without saying who they are."""
        return self._callee is not None and self._callee.is_anonymous

    @property
    def caller(self) -> Leg:
        """The A leg."""
        return self._a

    def joined(self) -> Sequence[tuple[Leg, Leg]]:
        """Return each leg with the one it is joined with, once the call is answered."""
        if self._b is None or self._lent or self.state not in (State.ANSWERED, State.ESTABLISHED):
            return ()
        return (self._a, self._b), (self._b, self._a)

    def lend(self, leg: Leg) -> None:
        """Say nothing to that leg any more: another call has it."""
        self._lent.add(leg)

    def take_back(self, leg: Leg) -> None:
        """The leg is this call's own again."""
        self._lent.discard(leg)
        leg.sit(self)

    # -- the life of a call

    async def run(self) -> None:
        """Carry the call from the caller's INVITE to the last leftover answer."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._a.watch(self)
                await self._live()
                self._declare_over()
                for task in self._beside:
                    task.cancel()
                await self.joint.aclose()
                await self._drain()
        finally:
            self._declare_over()
            self._seeking.stop()
            await self.joint.aclose()
            for leg in (self._a, *(self._callee.legs if self._callee else ())):
                if leg not in self._lent:
                    await leg.aclose()

    async def _live(self) -> None:
        self._seeking.limit(self._ring_timeout, self.post)
        self._seeking.begin(self.post, self._tasks)
        while self.state is not State.OVER:
            await self._take(await self._mailbox.get())
            if self._b is not None:
                self._seeking.limit(None, self.post)
        self._seeking.stop()

    async def _drain(self) -> None:
        """The call is over for both parties; wait for invitations that still owe us their final answer."""
        if self._b is not None:
            self._inviting.stop(self._b)
        while self._inviting:
            await self._take(await self._mailbox.get())

    async def _take(self, event: Event) -> None:
        given = await self._read(event)
        if given is None:
            return
        before = self.state
        self.state, actions = step(before, given)
        if before is not State.OVER and self.state is State.OVER:
            self._decide(given, before)
        if self.state in (State.ESTABLISHED, State.OVER):
            self._confirmed.set()
        for action in actions:
            await self._act(action, event)

    def _decide(self, given: Input, before: State) -> None:
        """Note how the call ends, and what the caller hears if nobody took it."""
        was_answered = before in (State.ANSWERED, State.ESTABLISHED)
        if not was_answered and given not in (Input.CANCEL, Input.HANG_UP):
            if self._callee is not None and self._b is None and given in (Input.REFUSED, Input.TIMEOUT):
                self._refusal = self._callee.instead(self._refusal, before is State.RINGING)
            self._cause = Cause(self._refusal.status, self._refusal.reason)
        self._ending.decide(given, self._cause, peer_uri=self.peer_uri, was_answered=was_answered)

    # -- what an event means

    async def _read(self, event: Event) -> Input | None:
        """Note what the event brings along; return the input for the table."""
        match event:
            case Callee() | NotFound() | Stopped():
                return self._read_own(event)
            case Progress():
                return Input.PROVISIONAL
            case Proven():
                return Input.PROVEN
            case Answered():
                return await self._read_answer(event)
            case Failed() | Gone():
                return self._read_failure(event)
            case _:
                return await self._read_hang_up(event)

    def _read_own(self, event: Callee | NotFound | Stopped) -> Input:
        match event:
            case Callee():
                self._callee = event
                if event.seconds is not None:
                    self._seeking.limit(event.seconds, self.post)
                self._a.present(event.peer)
                return Input.FOUND
            case NotFound(refusal):
                self._refusal = refusal
                return Input.REFUSED
            case Stopped(given, cause):
                self._refusal = Refusal(cause.status if cause.status >= 300 else 480, cause.text)
                self._cause = cause
                return given

    def _read_failure(self, event: Failed | Gone) -> Input | None:
        if isinstance(event, Gone):
            self._inviting.forget(event.leg)
            return None
        best = self._inviting.fail(event.leg, event.refusal)
        if best is None:
            return None
        self._refusal = best
        if not isinstance(best, Forwarded) or self.direction == "in":
            return Input.REFUSED
        refusal = self._seeking.forward(best, is_heard=self._ringing.has_answered)
        self._refusal = refusal or best
        return Input.REFUSED if refusal else Input.FORWARDED

    async def _read_answer(self, event: Answered) -> Input:
        """Turn the answer of the first leg for the caller; any other is a stray."""
        self._inviting.answered(event.leg)
        if self.state not in (State.CALLING, State.RINGING):
            self._stray = event.leg
            return Input.ANSWER
        try:
            self._answer = await self.joint.answer(self.joint.side_of(event.leg), event.session())
        except MediaRefused as refused:
            self._stray, self._refusal = event.leg, refused
            return Input.UNUSABLE_ANSWER
        self._b = event.leg
        return Input.ANSWER

    async def _read_hang_up(self, event: Cancelled | Acked | NotAcked | HungUp) -> Input:
        match event:
            case Acked(fragment):
                if fragment:
                    await self.joint.take_fragment(fragment)
                return Input.ACK
            case NotAcked():
                self._cause = Cause(408, "The caller never confirmed the answer")
                return Input.NO_ACK
            case Cancelled(cause):
                self._cause, self._refusal = cause, Refusal(487, "Call cancelled")
                return Input.CANCEL
            case HungUp(leg, cause):
                self._cause, self._refusal = cause, Refusal(480, cause.text)
                await self._transfers.left(leg)
                return Input.BYE_A if leg is self._a else Input.BYE_B

    # -- what to do

    async def _act(self, action: Action, event: Event) -> None:
        match action:
            case Action.RING_A:
                assert isinstance(event, Progress)
                assert self._callee is not None
                await self._ringing.ring(event, self._callee.peer, self.joint)
            case Action.CONFIRM_B:
                assert self._b is not None
                assert self._callee is not None
                await self._b.confirm(None if self._callee.peer.known else self.joint.fragment())
                self.spawn(self._prove())
            case Action.ANSWER_A:
                self._on_event(CallAnswered(self.id))
                await self._a.answer(self._answer)
            case Action.REFUSE_A:
                await self._a.refuse(self._refusal)
            case Action.INVITE_B:
                await self._invite()
            case Action.FIND_AGAIN:
                await self._find_again()
            case _:
                self._part(action)

    def _part(self, action: Action) -> None:
        """Take leave of a leg; none of it is waited for."""
        match action:
            case Action.BYE_A | Action.BYE_B:
                leg = self._a if action is Action.BYE_A else self._b
                if leg is not None and leg not in self._lent:
                    self._tasks.create_task(leg.bye(self._cause))
            case Action.BYE_STRAY if self._stray is not None:
                self._tasks.create_task(self._drop(self._stray))
            case Action.CANCEL_OTHERS:
                self._cancel(ELSEWHERE)
            case Action.CANCEL_B:
                self._cancel(self._cause)
            case _:
                raise AssertionError(action)

    def _cancel(self, cause: Cause) -> None:
        for cancelling in self._inviting.cancel(cause):
            self._tasks.create_task(cancelling)

    async def _invite(self) -> None:
        assert self._callee is not None
        self.joint.rings_alone = len(self._callee.legs) == 1
        self._inviting.begin(self._callee.legs, self._callee.offer, self, self._tasks)
        await asyncio.sleep(0)  # the invitations go out first
        for event in self._callee.started(self.id, self.direction):
            self._on_event(event)

    async def _find_again(self) -> None:
        """Leave whom we called, and look for the one to whom they forward the call."""
        assert self._callee is not None
        assert isinstance(self._refusal, Forwarded)
        by, self.peer_uri = self._callee.peer.uri, self._seeking.target
        self._on_event(CallForwarded(self.id, by, self.peer_uri, self._refusal.why))
        for leg in self._callee.legs:
            await leg.aclose()
        self._callee = None
        await self._ringing.forward()
        await self._seeking.give_up()
        self._seeking.begin(self.post, self._tasks)

    async def _drop(self, leg: CalleeLeg) -> None:
        """Confirm an answer that nobody wants, and hang up: a 2xx cannot be turned away otherwise."""
        await leg.confirm(None)
        await leg.bye(ELSEWHERE if self._b is not None else why_unwanted(self._refusal))
        self._inviting.stop(leg)

    async def _prove(self) -> None:
        """Let no phone be answered before it can hear and be heard. Another node's media waits for our answer."""
        if self._a.side == "mesh":
            self.post(Proven())
        await self.joint.connected()
        if self._a.side != "mesh":
            self.post(Proven())

    def _declare_over(self) -> None:
        """Tell the owner once."""
        self.state = State.OVER
        self._confirmed.set()
        self._ending.declare(self._cause)
