"""Answers the gateway's `Work` port: solves puzzles of other nodes, between everything else that the node does."""

import asyncio
from collections.abc import Callable

from freecall.errors import NotAMeshUri
from freecall.mesh_uri import canonical

from .puzzle import Parties, solve

SHARE = 0.5  # of the processor's time: calls that go on are more important


class Worker:
    """Works for the user with that OpenPGP fingerprint, at one puzzle at a time."""

    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint
        self._one_at_a_time = asyncio.Lock()

    async def prove(self, challenge: str, called_uri: str, is_wanted: Callable[[], bool]) -> str | None:
        """Return the proof, or None when the challenge is none that we work at, or it is no longer wanted."""
        try:
            parties = Parties(canonical(called_uri), self._fingerprint)
        except NotAMeshUri:
            return None
        loop = asyncio.get_running_loop()
        async with self._one_at_a_time:
            began = loop.time()
            for proof in solve(challenge, parties):
                if proof is not None or not is_wanted():
                    return proof
                ended = loop.time()
                await asyncio.sleep((ended - began) * (1 / SHARE - 1))
                began = loop.time()
        return None
