"""What phones do in the middle of a call: keys, hold and resume; and several phones for one user."""

from collections.abc import Awaitable, Callable

import pytest

from tests.interop.conftest import Pair
from tests.kit.capture import is_run_of, sip_messages
from tests.kit.site import connect, ended, secured

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.asyncio(loop_scope="session")]
ONE_SECOND = 50


async def test_keys_arrive_as_they_were_pressed(pair: Pair) -> None:
    async with pair.alice.phone() as near, pair.bob.phone() as far:
        await connect(near, far, pair.bob.node.uri)
        await secured(pair.alice.node, pair.bob.node)
        await pair.bob.traffic(far).until_heard(ONE_SECOND)
        for key in "15#":
            await near.press(key)
            assert (await far.event("CALL_DTMF_START"))["param"] == key
            await far.event("CALL_DTMF_END")
        await near.hang_up()
        await ended(pair.alice.node, pair.bob.node)


async def agreed(pair: Pair, direction: str, act: Callable[[], Awaitable[None]]) -> None:
    """Do something and wait until Bob's phone has agreed to this direction of the audio."""
    _, port = pair.bob.node.phones
    known = len(sip_messages(pair.bob.loopback, towards=port))
    await act()
    await pair.bob.loopback.until(
        lambda: any(
            message.startswith("SIP/2.0 200") and f"a={direction}" in message
            for message in sip_messages(pair.bob.loopback, towards=port)[known:]
        ),
        direction,
    )


async def test_a_held_call_is_silent_and_comes_back(pair: Pair) -> None:
    async with pair.alice.phone() as near, pair.bob.phone() as far:
        near_rtp, far_rtp = pair.alice.traffic(near), pair.bob.traffic(far)
        await connect(near, far, pair.bob.node.uri)
        await secured(pair.alice.node, pair.bob.node)
        await near_rtp.until_heard(ONE_SECOND)
        await agreed(pair, "recvonly", near.hold)
        await near_rtp.until_quiet()
        await agreed(pair, "sendrecv", near.resume)
        for rtp in (near_rtp, far_rtp):
            rtp.forget()
        for rtp in (near_rtp, far_rtp):
            await rtp.until_heard(2 * ONE_SECOND)
        await near.hang_up()
        await ended(pair.alice.node, pair.bob.node)
    assert is_run_of(far_rtp.heard(), near_rtp.spoken())
    assert is_run_of(near_rtp.heard(), far_rtp.spoken())


async def test_all_phones_ring_and_the_first_answer_wins(pair: Pair) -> None:
    async with (
        pair.alice.phone() as near,
        pair.bob.phone() as kitchen,
        pair.bob.phone() as office,
    ):
        await near.dial(pair.bob.node.uri)
        for phone in (kitchen, office):
            await phone.event("CALL_INCOMING")
        await office.accept()
        await near.event("CALL_ESTABLISHED")
        await kitchen.event("CALL_CLOSED", timeout=3)
        await secured(pair.alice.node, pair.bob.node)
        cancels = [
            message
            for message in sip_messages(pair.bob.loopback, towards=kitchen.sip_port)
            if message.startswith("CANCEL ")
        ]
        assert cancels
        assert "cause=200" in cancels[-1]
        await pair.bob.traffic(office).until_heard(ONE_SECOND)
        await office.hang_up()
        await near.event("CALL_CLOSED", timeout=3)
        await ended(pair.alice.node, pair.bob.node)
