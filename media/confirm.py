"""Drive one confirmation over DTLS application data: repeat what may be lost, sign and check beside it."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from typing import Any

from .errors import MediaError
from .mesh_leg import MeshLeg
from .ports import EndorsementError, Endorser, Retained
from .protocol.confirmation import (
    Action,
    Agreed,
    Confirmation,
    Confirmed,
    Failed,
    Send,
    Sign,
    Verify,
)
from .protocol.confirmation_messages import MAX_SIGNATURE_BYTES
from .protocol.continuity import is_continuity
from .protocol.transcript import NONCE_BYTES, Agreement, Role, Transcript
from .retention import Retention

REPEAT_SECONDS = 0.15
MAX_REPEAT_SECONDS = 2.0
WRONG_SIGNATURE = (
    "The call is not signed by the expected key: somebody may stand between you, so it was ended"
)

logger = logging.getLogger(__name__)


class Confirmer:
    """One side of the confirmation on one mesh leg. `run()` goes on as long as the leg lives.

    `on_agreed` and `on_confirmed` are called once each at most; a failure raises `MediaError`, in a group.
    """

    def __init__(
        self,
        leg: MeshLeg,
        role: Role,
        transcript: Transcript,
        endorser: Endorser,
        on_agreed: Callable[[Agreement], None],
        on_confirmed: Callable[[bool], None],
        retained: Retained | None = None,
    ) -> None:
        assert leg.session is not None
        self._session = leg.session
        self._inbox = leg.inbox
        self._role = role
        self._transcript = transcript
        self._machine = Confirmation(role, transcript, secrets.token_bytes(NONCE_BYTES))
        self._endorser = endorser
        self._on_agreed = on_agreed
        self._on_confirmed = on_confirmed
        self._retention = None if retained is None else Retention(role, retained)

    async def run(self) -> None:
        """Take messages one at a time, for ever: a late repeat may still need its answer."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat())
            if self._role == "caller":
                await self._perform(self._machine.start(), group)
            while True:
                await self._take(await self._inbox.get(), group)

    async def _take(self, data: bytes, group: asyncio.TaskGroup) -> None:
        if not is_continuity(data):
            await self._perform(self._machine.receive(data), group)
        elif self._retention is not None:
            await self._send_all(self._retention.receive(data))

    async def _repeat(self) -> None:
        delay, before = REPEAT_SECONDS, None
        while True:
            await asyncio.sleep(delay)
            unacknowledged = self._machine.unacknowledged()
            delay = min(2 * delay, MAX_REPEAT_SECONDS) if unacknowledged == before else REPEAT_SECONDS
            before = unacknowledged
            await self._send_all(unacknowledged)
            if self._retention is not None:
                await self._send_all(self._retention.unacknowledged())

    async def _send_all(self, messages: list[bytes]) -> None:
        for message in messages:
            await self._send(message)

    async def _send(self, message: bytes) -> None:
        """Send a message; a peer that has closed the association may still tell why, by its BYE: the leg waits."""
        try:
            await self._session.send(message)
        except MediaError as gone:
            logger.debug("A message of the confirmation was not sent: %s", gone.reason)

    async def _perform(self, actions: list[Action], group: asyncio.TaskGroup) -> None:
        for action in actions:
            match action:
                case Send(data):
                    await self._send(data)
                case Sign() | Verify():
                    group.create_task(self._endorse(action, group))
                case Agreed(agreement):
                    if self._retention is not None:
                        await self._send_all(self._retention.agreed(self._transcript, agreement))
                    self._transcript.wipe()
                    self._on_agreed(agreement)
                case Confirmed(signed):
                    self._on_confirmed(signed)
                    if signed and self._retention is not None:
                        group.create_task(self._retention.settle())
                case Failed(reason):
                    raise MediaError(403, reason)

    def _endorse(self, action: Sign | Verify, group: asyncio.TaskGroup) -> Coroutine[Any, Any, None]:
        return self._sign(action, group) if isinstance(action, Sign) else self._verify(action, group)

    async def _sign(self, action: Sign, group: asyncio.TaskGroup) -> None:
        try:
            signature = await self._endorser.sign(action.statement)
        except EndorsementError as error:
            logger.warning("The own confirmation goes out unsigned: %s", error)
            signature = b""
        if len(signature) > MAX_SIGNATURE_BYTES:
            logger.warning("The own confirmation goes out unsigned: the signature is too long")
            signature = b""
        await self._perform(self._machine.signed(signature), group)

    async def _verify(self, action: Verify, group: asyncio.TaskGroup) -> None:
        try:
            valid = await self._endorser.verify(action.statement, action.signature)
        except EndorsementError as error:
            await self._perform(self._machine.rejected(f"{WRONG_SIGNATURE} ({error})"), group)
            return
        step = self._machine.verified() if valid else self._machine.rejected(WRONG_SIGNATURE)
        await self._perform(step, group)
