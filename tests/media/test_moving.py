"""A call goes on when one of the nodes gets another address."""

import itertools

import pytest

from .call_pair import Pair, Side, answered_call, rtp, until

_numbers = itertools.count(1)


def _host(side: Side) -> str:
    pair = side.media._sections[0].mesh.ice._nominated[1]
    return str(pair.local_addr[0])


def _aims_at(side: Side) -> str:
    path = side.media._sections[0].mesh.ice.path
    return path[1][0] if path else ""


async def _moved(mover: Side, staying: Side, host: str) -> None:
    await mover.media.move([host])
    await until(lambda: _host(mover) == host and _aims_at(staying) == host)


async def _speak(pair: Pair) -> None:
    for one, other in ((pair.caller, pair.callee), (pair.callee, pair.caller)):
        packet = rtp(next(_numbers))
        one.phone.send(packet)
        await other.phone.hears(packet)


@pytest.mark.parametrize("mover", ["caller", "callee"])
async def test_who_moves_keeps_call_and_keys_and_is_heard_at_the_new_address(mover: str) -> None:
    async with answered_call() as pair:
        moving: Side = getattr(pair, mover)
        staying = pair.callee if moving is pair.caller else pair.caller
        await _speak(pair)
        told = len(pair.caller.events), len(pair.callee.events)
        await _moved(moving, staying, "127.0.0.2")
        await _speak(pair)
        assert (len(pair.caller.events), len(pair.callee.events)) == told


async def test_a_node_that_moves_a_hundred_times_loses_no_word_and_leaves_no_socket_behind() -> None:
    async with answered_call() as pair:
        staying = pair.callee.media._sections[0].mesh.ice
        for number in range(100):
            await _moved(pair.caller, pair.callee, f"127.0.1.{number + 1}")
            await _speak(pair)
        assert len(pair.caller.media._sections[0].mesh.ice._protocols) <= 2
        assert len(staying._remote_candidates) <= 40


async def test_an_address_that_is_not_there_leaves_the_call_where_it_is() -> None:
    async with answered_call() as pair:
        await pair.caller.media.move(["203.0.113.1"])
        await _speak(pair)
        assert _host(pair.caller) == "127.0.0.1"


async def test_when_the_address_in_use_goes_the_call_goes_on_by_another_that_stood_already() -> None:
    async with answered_call(caller={"mesh_addresses": ("127.0.0.1", "127.0.0.3")}) as pair:
        used = _host(pair.caller)
        other = "127.0.0.3" if used == "127.0.0.1" else "127.0.0.1"
        await _moved(pair.caller, pair.callee, other)
        await _speak(pair)
