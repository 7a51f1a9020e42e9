"""How well a caller is known: by the user's pins, web of trust and introductions."""

from dataclasses import dataclass, field

from trust.pins import Pins, TrustState
from trust.standing import Standings

from .ladder import Rung

MAX_ASKING = 8
RUNGS = {
    TrustState.PINNED: Rung.CONTACT,
    TrustState.VERIFIED: Rung.CONTACT,
    TrustState.INTRODUCED: Rung.INTRODUCED,
}


@dataclass
class Ranks:
    """Says on which rung a key stands under a canonical URI; the `own` fingerprint is a contact.

    Pins are looked up at once. The rest may have to ask GnuPG: of a flood of new keys only some are asked about
    at a time, the others are strangers.
    """

    pins: Pins
    standings: Standings
    own: str
    _asking: int = field(default=0, init=False)

    async def __call__(self, uri: str, fingerprint: str) -> Rung:
        """Return the rung. A key that must not be used is a stranger's: admission says what is wrong with it."""
        rung = RUNGS.get(self.pins.state_of(uri, fingerprint))
        if fingerprint == self.own:
            return Rung.CONTACT
        if rung is not None or self._asking >= MAX_ASKING:
            return rung or Rung.STRANGER
        self._asking += 1
        try:
            standing = await self.standings.of(uri, fingerprint)
        finally:
            self._asking -= 1
        return Rung.STRANGER if standing.problem else RUNGS.get(standing.state, Rung.STRANGER)
