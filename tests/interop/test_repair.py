"""Real phones talk on while networks, addresses and routers change under their nodes."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path

import pytest

from tests.kit.roaming import MOVER, STAYER, Talk, quantile, talking
from tests.kit.speech import make_tone

pytestmark = [pytest.mark.interop, pytest.mark.namespaces]

P50_SECONDS, P95_SECONDS = 0.3, 1.0

Voices = Mapping[str, Mapping[int, Path]]
LONG_RUN, LONG_SECONDS = 200, 900


async def _changed(talk: Talk, change: Callable[[], None]) -> tuple[float, float]:
    await talk.begin()
    change()
    return await talk.settled()


def _line(name: str, gaps: Sequence[float]) -> str:
    figures = (quantile(gaps, 0.5), quantile(gaps, 0.95), max(gaps))
    return f"{name:>15}: {len(gaps):3} gaps, ms p50/p95/max " + " / ".join(f"{1000 * s:.0f}" for s in figures)


def _change(talk: Talk, number: int) -> Callable[[], None]:
    """Return the change of that number: of forty, one is Bob's, two are of both, two are the router's."""
    rare = {7: talk.both_move, 13: talk.router_forgets, 19: talk.bob_moves, 27: talk.both_move}
    return {**rare, 33: talk.router_forgets}.get(number % 40, talk.alice_moves)


@pytest.mark.timeout(180)
async def test_a_call_outlives_each_kind_of_change(voices: Voices) -> None:
    async with talking(voices) as talk:
        for change in (
            talk.alice_moves,
            talk.bob_moves,
            talk.both_move,
            talk.alice_moves,
            talk.router_forgets,
            talk.both_move,
        ):
            gaps = await _changed(talk, change)
            print(_line(change.__name__, gaps))
        talk.assert_nothing_was_lost()
        await talk.phones[0].hang_up()
        for site in (talk.alice, talk.bob):
            ended = await site.node.event("call_ended")
            assert ended["status"] == 200


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_a_cable_that_is_out_for_a_while_is_told_at_both_ends_and_ends_no_call(voices: Voices) -> None:
    async with talking(voices) as talk:
        await talk.begin()
        talk.net.cut(STAYER)
        sites = (talk.alice, talk.bob)
        for site in sites:
            await site.node.event("call_path", state="lost")
        talk.net.heal(STAYER)
        for site in sites:
            restored = await site.node.event("call_path", state="restored")
            assert restored["gap_ms"] >= 2_000
        await talk.settled()
        talk.assert_nothing_was_lost()


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_a_path_that_nobody_finds_again_ends_the_call_with_a_reason(voices: Voices) -> None:
    async with talking(voices) as talk:
        talk.net.cut(STAYER)
        for site, phone in zip((talk.alice, talk.bob), talk.phones, strict=True):
            ended = await site.node.event("call_ended", timeout=30)
            assert (ended["by"], ended["status"]) == ("node", 480)
            assert "was lost" in ended["reason"]
            await phone.event("CALL_CLOSED")


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_two_hundred_changes_end_no_call_and_are_hardly_heard(tmp_path: Path) -> None:
    tone = make_tone(tmp_path / "tone.wav", 440, seconds=LONG_SECONDS)  # a phone that has said all hangs up
    gaps: dict[str, list[float]] = defaultdict(list)
    async with talking({name: {8_000: tone} for name in (MOVER, STAYER)}) as talk:
        for number in range(LONG_RUN):
            change = _change(talk, number)
            gaps[change.__name__] += await _changed(talk, change)
        talk.assert_nothing_was_lost()
        await talk.phones[0].hang_up()
        assert (await talk.bob.node.event("call_ended"))["status"] == 200
    for name, heard in gaps.items():
        print(_line(name, heard))
    every = list(chain.from_iterable(gaps.values()))
    print(_line("all", every))
    assert quantile(every, 0.5) <= P50_SECONDS
    assert quantile(every, 0.95) <= P95_SECONDS
