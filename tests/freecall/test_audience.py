"""Who sees whether our user can be called: those whose key is pinned here."""

from dataclasses import dataclass

import pytest

from freecall.adapters import MeshAudience
from sipgate.ports import IncomingCaller, Peer, Refusal, Trust

WATCHER = IncomingCaller("sip:alice@mesh", "sip:bob@mesh", b"node", b"key", b"delegation", "alice")


@dataclass
class Admitting:
    """An admission that knows everybody as well as it is told."""

    trust: Trust | None

    async def admit(self, caller: IncomingCaller) -> Peer:
        if self.trust is None:
            raise Refusal(403, "another key here than before")
        return Peer(caller.uri, "alice", self.trust, "F" * 40, b"node", known=self.trust != "new")


@pytest.mark.parametrize("trust", ["pinned", "verified", "self"])
async def test_who_is_known_may_see(trust: Trust) -> None:
    assert (await MeshAudience(Admitting(trust)).may_see(WATCHER)).trust == trust


@pytest.mark.parametrize("trust", ["new", None])
async def test_a_stranger_and_whoever_has_another_key_may_not(trust: Trust | None) -> None:
    with pytest.raises(Refusal) as refused:
        await MeshAudience(Admitting(trust)).may_see(WATCHER)
    assert refused.value.status == 403
