"""How often to check contacts: as often as they die, no oftener.

Who checks one contact each ``seconds()`` goes round a table of n in n times that. In a calm mesh that is ten minutes.
Each contact found dead makes the rounds shorter and each found alive a little longer, so that about one check in six
finds somebody gone; the table then has few dead entries, at a price that follows the churn. (Rhea et al., "Handling
Churn in a DHT", 2004: upkeep must be periodic, and paced by what it costs.)
"""

CALM_ROUND_SECONDS = 600.0
SHORTEST_ROUND_SECONDS = 120.0
MOST_SECONDS, LEAST_SECONDS = 20.0, 1.0
ON_DEAD, ON_ALIVE = 0.7, 1.06
REPUBLISH_MOST_SECONDS, REPUBLISH_LEAST_SECONDS = 1500.0, 240.0
REPUBLISH_ROUNDS = 2.5


class Pace:
    """The length of a round through the table, in seconds, and what follows from it."""

    def __init__(self) -> None:
        self._round = CALM_ROUND_SECONDS

    def alive(self) -> None:
        """A contact that was checked is there."""
        self._round = min(CALM_ROUND_SECONDS, self._round * ON_ALIVE)

    def dead(self) -> None:
        """A contact that was checked has gone."""
        self._round = max(SHORTEST_ROUND_SECONDS, self._round * ON_DEAD)

    def seconds(self, contacts: int) -> float:
        """Return the time from one check to the next with a table of so many contacts."""
        return min(MOST_SECONDS, max(LEAST_SECONDS, self._round / max(1, contacts)))

    @property
    def republish_seconds(self) -> float:
        """How long copies may be left alone: half of those that hold them must not have gone meanwhile."""
        return min(REPUBLISH_MOST_SECONDS, max(REPUBLISH_LEAST_SECONDS, REPUBLISH_ROUNDS * self._round))
