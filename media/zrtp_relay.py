"""Passes ZRTP from phone to phone, beside the bridge: what it agrees on is the phones' own secret."""

import asyncio
from collections.abc import Callable

from .aiortc_adapter.dtls import DtlsSession
from .bridge import Gate
from .errors import MediaError
from .phone_leg import PhoneLeg
from .protocol.zrtp import carried, carry, is_last

MAX_WAITING = 32
PAUSE_SECONDS = 0.01
"""Between two packets to the mesh: a hundred in a second are several times what ZRTP repeats at its fastest."""


class ZrtpRelay:
    """One section's. `on_agreed` is told each time the phones say that they have their keys."""

    def __init__(
        self, phone: PhoneLeg, session: DtlsSession, gate: Gate, on_agreed: Callable[[], None]
    ) -> None:
        self._phone = phone
        self._session = session
        self._gate = gate
        self._on_agreed = on_agreed
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(MAX_WAITING)

    def from_phone(self, packet: bytes) -> None:
        """Take one packet of the phone; while the call is muted, or when too many wait, it is dropped: ZRTP repeats."""
        if not self._gate.is_open:
            self._phone.drop("muted_to_mesh")
        elif self._waiting.full():
            self._phone.drop("zrtp_flood")
        else:
            self._waiting.put_nowait(packet)

    def from_mesh(self, data: bytes) -> bool:
        """Pass on what a record of the peer carries; tell whether the record was one for us."""
        packet = carried(data)
        if packet is None:
            return False
        if self._gate.is_open:
            self._phone.send(packet)
            self._look(packet)
        else:
            self._phone.drop("muted_to_phone")
        return True

    async def run(self) -> None:
        """Send what waits, until the association is gone."""
        while True:
            packet = await self._waiting.get()
            try:
                await self._session.send(carry(packet))
            except MediaError:
                return
            self._look(packet)
            await asyncio.sleep(PAUSE_SECONDS)

    def _look(self, packet: bytes) -> None:
        if is_last(packet):
            self._on_agreed()
