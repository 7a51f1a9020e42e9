"""How well a caller is known, by everything that the node knows of keys."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from freecall.policy.ladder import Rung
from freecall.policy.rank import MAX_ASKING, Ranks
from freecall.store import FileStore
from trust.pins import Pins, TrustState
from trust.standing import Standing, Standings

ALICE, ME = "A" * 40, "E" * 40
URI = "sip:alice@mesh"


@dataclass
class Sources(Standings):
    """Standings that are what the test says, after a while."""

    state: TrustState = TrustState.NEW
    problem: str | None = None
    asked: int = 0
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    async def of(self, uri: str, fingerprint: str) -> Standing:  # noqa: ARG002 - the same for all
        self.asked += 1
        await self.hold.wait()
        return Standing(self.state, (), (), self.problem)


@pytest.fixture
def pins(tmp_path: Path) -> Pins:
    return Pins(FileStore(tmp_path / "pins.json"))


@pytest.mark.parametrize(
    ("state", "problem", "rung"),
    [
        (TrustState.NEW, None, Rung.STRANGER),
        (TrustState.CONFLICT, None, Rung.STRANGER),
        (TrustState.INTRODUCED, None, Rung.INTRODUCED),
        (TrustState.PINNED, None, Rung.CONTACT),
        (TrustState.VERIFIED, None, Rung.CONTACT),
        (TrustState.VERIFIED, "revoked", Rung.STRANGER),
    ],
)
async def test_the_standing_of_a_key_is_its_rung(
    pins: Pins, state: TrustState, problem: str | None, rung: Rung
) -> None:
    sources = Sources(state, problem)
    sources.hold.set()
    assert await Ranks(pins, sources, ME)(URI, ALICE) is rung


async def test_one_is_no_stranger_to_oneself(pins: Pins) -> None:
    assert await Ranks(pins, Sources(), ME)(URI, ME) is Rung.CONTACT


async def test_contacts_are_known_without_asking_and_a_flood_of_new_keys_asks_a_few_times(pins: Pins) -> None:
    pins.pin(URI, ALICE, b"key", 1.0)
    sources = Sources(TrustState.INTRODUCED)
    ranks = Ranks(pins, sources, ME)
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(ranks("sip:x@mesh", f"{n:040X}")) for n in range(100)]
        await asyncio.sleep(0)
        assert await ranks(URI, ALICE) is Rung.CONTACT
        sources.hold.set()
    assert sources.asked == MAX_ASKING
    assert [each.result() for each in asked].count(Rung.INTRODUCED) == MAX_ASKING
