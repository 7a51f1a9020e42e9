"""What can be seen, and done, on the wire between two nodes."""

import asyncio
import contextlib
import random
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest

from media.mesh_leg import CONNECT_SECONDS

from .call_pair import Pair, call, rtp, sender_report, until
from .tap import Tap, connect


@contextlib.asynccontextmanager
async def tapped_call(**options: Any) -> AsyncIterator[tuple[Pair, Tap]]:
    tap = await Tap().open()
    try:
        async with call(**options) as pair:
            await connect(pair, tap)
            await pair.secured()
            yield pair, tap
    finally:
        tap.close()


async def test_only_stun_dtls_and_srtp_cross_and_no_speech_can_be_read() -> None:
    async with tapped_call() as (pair, tap):
        for number in range(50):
            pair.caller.phone.send(rtp(number, b"secret speech   " * 10))
            pair.callee.phone.send(rtp(number, b"secret speech   " * 10))
        pair.caller.phone.send_rtcp(sender_report())
        await until(lambda: len(tap.srtp()) >= 101)
        for _, data in tap.wire:
            assert data[0] < 4 or 19 < data[0] < 64 or 127 < data[0] < 192
            assert b"secret speech" not in data


async def test_a_phone_that_repeats_sequence_numbers_never_reuses_the_keystream() -> None:
    async with tapped_call() as (pair, tap):
        for payload in (b"A" * 160, b"B" * 160, b"C" * 160, b"D" * 160) * 5:
            pair.caller.phone.send(rtp(7, payload))
        pair.caller.phone.send(rtp(8))
        await until(lambda: any(data[2:4] == b"\x00\x08" for data in tap.srtp()))
        used = [(data[8:12], data[2:4]) for data in tap.srtp() if data[1] < 192]
        assert len(used) == len(set(used))
        drops = pair.caller.media.statistics().drops
        assert drops["repeated_by_phone"] > 0


async def test_a_sequence_restart_under_the_same_ssrc_goes_on_under_a_fresh_one() -> None:
    async with tapped_call() as (pair, _):
        for number in range(30_000, 30_005):
            pair.caller.phone.send(rtp(number))
            await pair.callee.phone.hears(rtp(number))
        for number in range(5, 10):
            pair.caller.phone.send(rtp(number, bytes([number]) * 160))
        heard = [await pair.callee.phone.heard.get() for _ in range(5)]
        assert [packet[12:] for packet in heard] == [bytes([number]) * 160 for number in range(5, 10)]
        (fresh,) = {packet[8:12] for packet in heard}
        assert fresh != struct.pack("!I", 7)
        pair.caller.phone.send_rtcp(sender_report(7))
        async with asyncio.timeout(2):
            assert (await pair.callee.phone.heard_rtcp.get())[4:8] == fresh


async def test_a_phone_that_changes_its_ssrc_all_the_time_is_bounded() -> None:
    async with tapped_call() as (pair, tap):
        for ssrc in range(200):
            pair.caller.phone.send(rtp(1, ssrc=ssrc))
        await until(lambda: pair.caller.media.statistics().drops.get("too_many_streams", 0) == 200 - 64)
        assert len({data[8:12] for data in tap.srtp()}) == 64


async def test_a_replayed_or_forged_datagram_reaches_no_phone() -> None:
    async with tapped_call() as (pair, tap):
        pair.caller.phone.send(rtp(1))
        await pair.callee.phone.hears(rtp(1))
        (sealed,) = tap.srtp()
        tap.inject("callee", sealed)
        tap.inject("callee", sealed[:2] + b"\x00\x09" + sealed[4:])
        tap.inject("callee", rtp(2))
        await until(lambda: pair.callee.media.statistics().drops.get("mesh_forged", 0) == 2)
        assert pair.callee.media.statistics().drops["mesh_replayed"] == 1
        assert pair.callee.phone.heard.empty()


async def test_a_lost_last_flight_is_repeated_before_openssl_would() -> None:
    tap = await Tap().open()
    lost: list[bytes] = []

    def drops(to: str, data: bytes) -> bool:
        finished = to == "callee" and data[0] == 20  # the server's ChangeCipherSpec and Finished
        if finished and len(lost) < 1:
            lost.append(data)
            return True
        return False

    tap.drops = drops
    async with call() as pair:
        begun = asyncio.get_running_loop().time()
        await connect(pair, tap)
        await pair.secured()
        assert lost
        assert asyncio.get_running_loop().time() - begun < 0.9
    tap.close()


async def test_a_lost_flight_is_repeated_though_the_peer_repeats_its_own_meanwhile() -> None:
    tap = await Tap().open()
    to_callee: list[bytes] = []
    lost: list[bytes] = []

    def drops(to: str, data: bytes) -> bool:
        """Lose the client's second flight until the server has sent its own three times."""
        if not 19 < data[0] < 64:
            return False
        if to == "callee":
            to_callee.append(data)
            return False
        if to_callee and to_callee.count(to_callee[0]) < 3:
            lost.append(data)
            return True
        return False

    tap.drops = drops
    async with call() as pair:
        begun = asyncio.get_running_loop().time()
        await connect(pair, tap)
        await pair.secured()
        assert lost
        assert asyncio.get_running_loop().time() - begun < 0.9
    tap.close()


async def test_a_lost_check_is_repeated_before_half_a_second() -> None:
    tap = await Tap().open()
    lost: list[bytes] = []

    def drops(_to: str, data: bytes) -> bool:
        if data[0] < 4 and len(lost) < 3:
            lost.append(data)
            return True
        return False

    tap.drops = drops
    async with call() as pair:
        begun = asyncio.get_running_loop().time()
        await connect(pair, tap)
        await pair.secured()
        assert len(lost) == 3
        assert asyncio.get_running_loop().time() - begun < 0.45
    tap.close()


@pytest.mark.parametrize("seed", range(3))
async def test_a_call_is_secured_through_a_wire_that_loses_a_third(seed: int) -> None:
    chance = random.Random(seed)
    tap = await Tap().open()
    tap.drops = lambda _to, data: 19 < data[0] < 64 and chance.random() < 0.33
    async with call() as pair:
        await connect(pair, tap)
        ours, theirs = await pair.secured(CONNECT_SECONDS)
        assert ours.words == theirs.words
    tap.close()


async def test_a_zero_length_datagram_and_noise_do_not_end_a_call() -> None:
    async with tapped_call() as (pair, tap):
        noise = [
            b"",
            b"\x00",
            b"\x14",
            b"\x16\xfe\xfd",
            b"\x80",
            b"\x80\x00",
            b"\xff" * 40,
            b"\x01\x01" + bytes(18),
        ]
        for data in noise * 20:
            tap.inject("callee", data)
            tap.inject("caller", data)
        pair.caller.phone.send(rtp(1))
        await pair.callee.phone.hears(rtp(1))
        assert pair.callee.media.statistics().drops["empty"] == 20
