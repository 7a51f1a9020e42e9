"""A user whose address is more than the name under which the phones register."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from tests.kit.sip_phone import SipPhone

from .gateways import Pair, nodes, user

UNLISTED = "sip:bob+q7k3m5x2p4r6t7v2@mesh"


@asynccontextmanager
async def with_bob_unlisted() -> AsyncIterator[Pair]:
    """Open alice's node and the one of bob, whose phone registers as bob."""
    bobs = [user("bob", uri=UNLISTED)]
    async with (
        nodes("alice", "bob", users={"bob": bobs}) as (a, b),
        SipPhone("alice", a.phones) as alice,
        SipPhone("bob", b.phones) as bob,
    ):
        await alice.register()
        assert (await bob.register()).status == 200
        yield Pair(a, b, alice, bob)


async def test_who_has_the_whole_address_rings_the_phone_that_registered_by_name() -> None:
    async with with_bob_unlisted() as it:
        call = await it.alice.call(UNLISTED)
        rung = await it.bob.rung()
        await rung.answer()
        assert (await call.final()).status == 200
        await call.hang_up()
        await rung.ended()


async def test_a_node_does_not_tell_who_asks_for_the_bare_name_that_it_is_somebodys_here() -> None:
    async with with_bob_unlisted() as it:
        for name in ("bob", "carol"):
            it.book.peers[f"sip:{name}@mesh"] = replace(it.book.peers[UNLISTED], uri=f"sip:{name}@mesh")
        bob = await (await it.alice.call("sip:bob@mesh")).final()
        carol = await (await it.alice.call("sip:carol@mesh")).final()
        assert (bob.status, bob.reason) == (404, "Nobody here has this name")
        assert (bob.status, bob.reason, bob.body) == (carol.status, carol.reason, carol.body)
        assert [header for header, _ in bob.headers] == [header for header, _ in carol.headers]
        assert it.book.admitted == []
        assert it.bob.incoming.empty()


async def test_who_is_called_sees_the_whole_address_and_can_call_back() -> None:
    async with with_bob_unlisted() as it:
        call = await it.bob.call("sip:alice@mesh")
        rung = await it.alice.rung()
        assert rung.invite is not None
        assert rung.invite.from_.display_name == "Bob · same key"
        assert str(rung.invite.from_.uri) == UNLISTED
        await rung.answer()
        assert (await call.final()).status == 200
        await call.hang_up()
        await rung.ended()
        assert it.book.admitted[0].uri == UNLISTED


async def test_ones_own_phones_call_each_other_by_the_name() -> None:
    async with with_bob_unlisted() as it, SipPhone("bob", it.b.phones) as second:
        call = await second.call("sip:bob@mesh")
        rung = await it.bob.rung()
        await rung.answer()
        assert (await call.final()).status == 200
        await call.hang_up()
        await rung.ended()
        assert not it.b.media.opened
