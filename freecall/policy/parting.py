"""What ends at once when somebody is blocked: their calls, and what they see."""

from contextlib import suppress
from dataclasses import dataclass

from freecall.supervise import Supervisor
from sipgate.gateway import Gateway


@dataclass(frozen=True)
class Parting:
    """Parts our user from somebody, by the name that they are known by."""

    gateway: Gateway
    supervisor: Supervisor

    def __call__(self, uri: str) -> None:
        """Tell them nothing more of our user's presence, and end the calls that came from them."""
        self.gateway.subscriptions.hide_from(uri)
        for call in self.gateway.calls.values():
            if call.direction == "in" and call.peer_uri == uri:
                self.supervisor.start(self._hang_up(call.id), name="end the call of a blocked person")

    async def _hang_up(self, call: str) -> None:
        with suppress(KeyError):  # it has just ended by itself
            await self.gateway.hang_up(call, "The call was ended")
