"""A path that died is found again by new transports in the dialog, under the same keys; nobody else can move it."""

import itertools

import pytest

from media.errors import MediaRefused
from media.events import MediaEvent, MediaPath

from .call_pair import Pair, Side, answered_call, call, rtp, until

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("media.protocol.path_watch.RENEW_SECONDS", 0.6)
    monkeypatch.setattr("media.protocol.path_watch.PATIENCE_SECONDS", 0.5)


def _host(side: Side) -> str:
    pair = side.media._sections[0].mesh.ice._nominated[1]
    return str(pair.local_addr[0])


def _deafen(side: Side) -> None:
    """Take the sockets away on which the peer knows us."""

    def datagram_received(data: object, addr: object) -> None:
        """Hear nothing."""

    for protocol in side.media._sections[0].mesh.ice._protocols:
        protocol.datagram_received = datagram_received  # type: ignore[method-assign]


async def _lose_both(pair: Pair) -> None:
    """Let both nodes move at once: each asks where the other has been."""
    _deafen(pair.caller)
    _deafen(pair.callee)
    await pair.caller.media.move(["127.0.0.2"])
    await pair.callee.media.move(["127.0.0.3"])


async def _speak(pair: Pair) -> None:
    for one, other in ((pair.caller, pair.callee), (pair.callee, pair.caller)):
        packet = rtp(next(_numbers))
        one.phone.send(packet)
        await other.phone.hears(packet)


async def _exchange(asking: Side, asked: Side) -> None:
    answer = await asked.media.renew_transport(await asking.media.transport_renewal())
    await asking.media.transport_from_mesh(answer)


def _are_at(pair: Pair, caller: str, callee: str) -> bool:
    hosts = (_host(pair.caller), _host(pair.callee))
    aims = []
    for side in (pair.callee, pair.caller):
        path = side.media._sections[0].mesh.ice.path
        aims.append(path[1][0] if path else "")
    return hosts == (caller, callee) == tuple(aims)


def _paths(events: list[MediaEvent]) -> list[MediaPath]:
    return [event for event in events if isinstance(event, MediaPath)]


@pytest.mark.parametrize("asking", ["caller", "callee"])
async def test_when_both_have_moved_new_transports_find_the_way_under_the_same_keys(asking: str) -> None:
    async with answered_call() as pair:
        await _speak(pair)
        before = [side.media._sections[0].mesh.session for side in (pair.caller, pair.callee)]
        words = [(await side.secured()).words for side in (pair.caller, pair.callee)]
        await _lose_both(pair)
        first, second = (pair.caller, pair.callee) if asking == "caller" else (pair.callee, pair.caller)
        await _exchange(first, second)
        await until(lambda: _are_at(pair, "127.0.0.2", "127.0.0.3"))
        await _speak(pair)
        assert before == [side.media._sections[0].mesh.session for side in (pair.caller, pair.callee)]
        assert words == [(await side.secured()).words for side in (pair.caller, pair.callee)]


async def test_two_exchanges_that_cross_are_one() -> None:
    async with answered_call() as pair:
        await _lose_both(pair)
        one, other = await pair.caller.media.transport_renewal(), await pair.callee.media.transport_renewal()
        to_caller = await pair.callee.media.renew_transport(one)
        to_callee = await pair.caller.media.renew_transport(other)
        await pair.caller.media.transport_from_mesh(to_caller)
        await pair.callee.media.transport_from_mesh(to_callee)
        await until(lambda: _are_at(pair, "127.0.0.2", "127.0.0.3"))
        await _speak(pair)


async def test_an_answer_that_was_lost_is_given_again() -> None:
    async with answered_call() as pair:
        await _lose_both(pair)
        lost = await pair.callee.media.renew_transport(await pair.caller.media.transport_renewal())
        again = await pair.callee.media.renew_transport(await pair.caller.media.transport_renewal())
        assert lost == again
        await pair.caller.media.transport_from_mesh(again)
        await until(lambda: _are_at(pair, "127.0.0.2", "127.0.0.3"))
        await _speak(pair)


async def test_the_old_path_serves_until_the_new_one_stands() -> None:
    async with answered_call() as pair:
        pair.caller.media._renewal.ask()
        offer = await pair.caller.media.transport_renewal()
        await _speak(pair)
        answer = await pair.callee.media.renew_transport(offer)
        await _speak(pair)
        await pair.caller.media.transport_from_mesh(answer)
        await _speak(pair)
        for number in range(20):
            pair.callee.media._renewal.ask()
            await _exchange(pair.callee, pair.caller)
            await _speak(pair)
            assert len(pair.caller.media._sections[0].mesh.ice._protocols) == 1, number


async def test_a_lost_path_is_told_with_its_end() -> None:
    async with answered_call() as pair:
        for side, host in ((pair.caller, "127.0.0.2"), (pair.callee, "127.0.0.3")):
            _deafen(side)
            await side.media._sections[0].mesh.ice.move(["127.0.0.1", host])  # there, but not told of
        await _exchange(pair.caller, pair.callee)  # due by itself, when nothing has come for a while
        await until(lambda: [path.state for path in _paths(pair.caller.events)][-1:] == ["restored"])
        lost, *between, restored = _paths(pair.caller.events)
        assert lost.state == "lost"
        assert {event.state for event in between} <= {"repairing"}
        assert restored.gap_ms is not None
        assert 400 < restored.gap_ms < 5_000
        await _speak(pair)


async def test_hold_and_resume_work_after_a_change_and_an_offer_that_crossed_it_is_no_attack() -> None:
    async with answered_call() as pair:
        late = await pair.caller.media.offer_from_phone(
            pair.caller.phone.sdp(direction="sendonly", version=2)
        )
        pair.caller.media._renewal.ask()
        await _exchange(pair.caller, pair.callee)
        for offer in (
            late,
            await pair.caller.media.offer_from_phone(pair.caller.phone.sdp(direction="sendrecv", version=3)),
        ):
            await pair.callee.media.offer_from_mesh(offer)
            answer = await pair.callee.media.answer_from_phone(pair.callee.phone.sdp(version=2))
            await pair.caller.media.answer_from_mesh(answer)
        await _speak(pair)


async def test_a_hold_that_overtakes_the_answer_is_as_good_as_the_answer() -> None:
    async with answered_call() as pair:
        pair.caller.media._renewal.ask()
        answer = await pair.callee.media.renew_transport(await pair.caller.media.transport_renewal())
        hold = await pair.callee.media.offer_from_phone(pair.callee.phone.sdp(version=2))
        await pair.caller.media.offer_from_mesh(hold)
        mesh = await pair.caller.media.answer_from_phone(pair.caller.phone.sdp(version=2))
        await pair.callee.media.answer_from_mesh(mesh)
        await pair.caller.media.transport_from_mesh(answer)
        await _speak(pair)
        forged = hold.replace(b"a=ice-pwd:", b"a=ice-pwd:x")
        with pytest.raises(MediaRefused, match="changed its transport"):
            await pair.caller.media.offer_from_mesh(forged)
        await _speak(pair)


async def test_another_certificate_is_refused_whatever_else_is_new() -> None:
    async with answered_call() as pair:
        pair.caller.media._renewal.ask()
        offer = await pair.caller.media.transport_renewal()
        start = offer.index(b"sha-256 ") + 8
        other = offer[:start] + b"AB:CD" + offer[start + 5 :]
        with pytest.raises(MediaRefused, match="more than one certificate"):
            await pair.callee.media.renew_transport(other)
        await _speak(pair)


async def test_how_often_a_peer_may_make_us_check_addresses_is_bounded() -> None:
    async with answered_call() as pair:
        pair.caller.media._renewal.ask()
        offer = await pair.caller.media.transport_renewal()
        for _ in range(20):
            await pair.callee.media.renew_transport(offer)
        with pytest.raises(MediaRefused, match="too often") as refused:
            await pair.callee.media.renew_transport(offer)
        assert refused.value.status == 503
        assert pair.callee.media._sections[0].mesh.ice.remote_candidates[1:] == []
        await _speak(pair)


async def test_consent_is_asked_for_with_the_words_of_the_session_that_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("media.aiortc_adapter.ice.CONSENT_SECONDS", 0.05)
    async with answered_call() as pair:
        pair.caller.media._renewal.ask()
        await _exchange(pair.caller, pair.callee)
        ices = [side.media._sections[0].mesh.ice for side in (pair.caller, pair.callee)]
        for ice in ices:
            ice.heard = False
            await until(lambda ice=ice: ice.heard)  # type: ignore[misc]
        assert all("consent_unanswered" not in ice.dropped for ice in ices)


async def test_before_the_first_path_stands_there_is_nothing_to_renew() -> None:
    async with answered_call() as ready:
        ready.caller.media._renewal.ask()
        offer = await ready.caller.media.transport_renewal()
        async with call() as pair:
            await pair.ring()
            pair.callee.media._sections[0].mesh.path = None
            with pytest.raises(MediaRefused, match="not connected"):
                await pair.callee.media.renew_transport(offer)


async def test_checks_of_the_next_session_and_of_the_last_are_answered_and_those_of_strangers_move_nothing() -> (
    None
):
    async with answered_call() as pair:
        callee = pair.callee.media._sections[0].mesh.ice
        aim = callee.path
        pair.caller.media._renewal.ask()
        caller = pair.caller.media._sections[0].mesh.ice
        await pair.caller.media.transport_renewal()
        former = callee.credentials
        await caller.probe()  # of the session that stands
        assert caller.dropped.get("consent_unanswered") is None
        await _exchange(pair.caller, pair.callee)
        caller.remote_username, caller.remote_password = former
        await caller.probe()  # the session before
        assert caller.dropped.get("consent_unanswered") is None
        caller.remote_password = "x" * 32
        await caller.probe()
        assert caller.dropped.get("consent_unanswered") == 1
        assert callee.path == aim
