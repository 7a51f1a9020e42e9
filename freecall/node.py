"""A running node, as the control API and the commands see it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Any

from overlay.errors import OverlayError
from sipgate.gateway import Gateway
from sipgate.protocol.b2bua import State

from .call_record import CallRecord
from .call_watch import CallWatch
from .errors import FreeCallError
from .events import EventLog
from .evidence import EvidenceGatherer
from .history import History
from .identity import Identity
from .letters import Letters
from .mesh_media import MediaService
from .mesh_uri import caller_from, canonical
from .meshes import Directory
from .placed_call import Order, Outcome, follow


class Node:
    """What a person can ask of their node. Satisfies the port of `control.server`."""

    def __init__(
        self,
        identity: Identity,
        gateway: Gateway,
        gatherer: EvidenceGatherer,
        overlay: Directory,
        log: EventLog,
        letters: Letters,
        read_lists: Callable[[], list[str]],
        watch: CallWatch,
        history: History,
    ) -> None:
        self.log = log
        self.ready: dict[str, Any] = {}
        self._identity = identity
        self._gateway = gateway
        self._gatherer = gatherer
        self._overlay = overlay
        self._letters = letters
        self._read_lists = read_lists
        self._watch = watch
        self._history = history

    def status(self) -> dict[str, Any]:
        """Return the fields of ``ready`` without secrets, the place in the mesh and the calls."""
        mesh = self._overlay
        place = {
            "contacts": mesh.contacts,
            "reachable": mesh.is_reachable,
            "seen_as": str(mesh.seen_as or ""),
        }
        public = {**self.ready, **place, "calls": sorted(self._gateway.calls)}
        public.pop("browser", None)
        public["sip"] = {key: value for key, value in public["sip"].items() if key != "secret"}
        return public

    async def lookup(self, uri: str) -> dict[str, Any]:
        """Return the evidence for a name.

        Raises:
            FreeCallError: the name is malformed, or there is nobody to ask.
        """
        try:
            return (await self._gatherer.gather(canonical(uri))).as_json()
        except OverlayError as error:
            raise FreeCallError(f"The mesh cannot be asked: {error}") from error

    async def call(self, order: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Place the call of ``order``; yield its events, then ``{"result": ...}``.

        Raises:
            FreeCallError: the order is wrong.
        """
        from media.softphone import WavPhone

        parsed = Order.parse(order)
        phone = WavPhone(play=parsed.play, record=parsed.record)
        outcome = Outcome(parsed.uri)
        with self.log.subscribe() as events:
            started = asyncio.get_running_loop().time()
            service, anonymous = MediaService(phone), parsed.anonymous
            call = await self._gateway.place_call(
                self._identity.uri, parsed.uri, service, anonymous=anonymous
            )
            try:
                async for event in follow(parsed, call, events, started, outcome):
                    yield {"event": event.name, "at": event.at, **event.fields}
            finally:
                if call.id in self._gateway.calls:
                    await call.hang_up("the command was stopped")
        yield {"result": outcome.as_json(phone, parsed.record)}

    async def write(self, order: dict[str, Any]) -> dict[str, Any]:
        """Send the message of ``order``; return its id, and whether it was ``delivered`` or ``kept``.

        Raises:
            FreeCallError: the order is wrong.
        """
        return await self._letters.write(order)

    async def waiting(self) -> dict[str, Any]:
        """Return the messages that wait, in both directions."""
        return await self._letters.waiting()

    def missed(self) -> list[dict[str, Any]]:
        """Return the calls that nobody answered since the start, the latest first."""
        return [asdict(each) for each in reversed(self._gateway.subscriptions.missed.of())]

    def forget_missed(self, peer: str | None) -> None:
        """Take missed calls as seen, of one peer or all; the phones' lamps follow."""
        self._gateway.subscriptions.forget_missed(None if peer is None else caller_from(peer))

    def read_lists(self) -> list[str]:
        """Try the nodes of bootstrap lists imported since the start; return the labels of the networks concerned."""
        return self._read_lists()

    def calls(self) -> list[dict[str, Any]]:
        """Return the calls in progress, those last whose callee is still looked for."""
        looking_up = [
            {
                **CallRecord(call.id, call.direction, call.peer_uri, 0.0).as_json(),
                "started_at": None,
                "state": "looking up",
            }
            for call in self._gateway.calls.values()
            if call.state is State.RESOLVING
        ]
        return self._watch.current() + looking_up

    def history(self, *, missed: bool, last: int | None) -> list[dict[str, Any]]:
        """Return the calls that are over, or those alone that were missed, the latest first."""
        return [each.as_json() for each in self._history.calls(missed=missed, last=last)]

    async def erase_history(self) -> int:
        """Forget the calls that are over, the missed ones too; return how many they were.

        Raises:
            FreeCallError: the disk refuses.
        """
        self._gateway.subscriptions.forget_missed()
        return await self._history.erase()

    async def hang_up(self, call: str) -> bool:
        """End a call; False when there is none of that id."""
        if call not in self._gateway.calls:
            return False
        await self._gateway.hang_up(call, "ended by the user")
        return True
