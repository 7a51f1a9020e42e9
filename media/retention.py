"""Drives key continuity beside the confirmation of one leg: what to send, and when its end is certain."""

import asyncio
import secrets

from .ports import Retained
from .protocol.continuity import MAX_SECRETS, TAG_BYTES, Continuity
from .protocol.transcript import Agreement, Role, Transcript

WAIT_SECONDS = 5.0
"""How long after the peer's signature its message may come."""


class Retention:
    """One side's continuity in one call; each method returns the messages to send now."""

    def __init__(self, role: Role, retained: Retained) -> None:
        self._retained = retained
        self._machine = Continuity(role, retained.secrets, secrets.token_bytes(MAX_SECRETS * TAG_BYTES))
        self._fresh = b""
        self._compared = asyncio.Event()

    def agreed(self, transcript: Transcript, agreement: Agreement) -> list[bytes]:
        """Take what this call gave."""
        self._fresh = transcript.retained(agreement.session_hash)
        return self._noted([self._machine.agreed(agreement.session_hash)])

    def receive(self, data: bytes) -> list[bytes]:
        """Take a message of the peer."""
        answer = self._machine.receive(data)
        return self._noted([] if answer is None else [answer])

    def unacknowledged(self) -> list[bytes]:
        """Return what to send again."""
        return self._machine.unacknowledged()

    async def settle(self) -> None:
        """The peer has signed: wait for its message, then have the secret of this call kept. Silence is no match."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._compared.wait()
        except TimeoutError:
            pass
        self._retained.settle(matched=bool(self._machine.matched), fresh=self._fresh)

    def _noted(self, messages: list[bytes]) -> list[bytes]:
        if self._machine.matched is not None:
            self._compared.set()
        return messages
