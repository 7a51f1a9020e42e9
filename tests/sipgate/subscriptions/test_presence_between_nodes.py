"""Presence over the mesh leg: only between people who know each other, and closed when a node is gone."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sipgate.endpoint import Endpoint
from sipgate.limits import Limits
from sipgate.protocol import passport
from sipgate.protocol.message import Request, Response
from sipgate.protocol.pidf import CONTENT_TYPE, Presence, parse
from sipgate.server_transaction import ServerTransaction
from sipgate.subscriptions import watch
from sipgate.subscriptions.subscribe import Subscriber
from sipgate.transport import Hop
from tests.sipgate.gateways import PATIENCE, TestNode, nodes

from .event_phone import EventPhone, Subscription, document, state_of

QUICK = Limits(notify_pause=0.0, watchers_per_peer=2, watchers=3, watchers_asking=2, watches=1)
OPEN, CLOSED = b"<basic>open</basic>", b"<basic>closed</basic>"
BOB = "sip:bob@mesh"


@dataclass
class Two:
    """Two nodes; bob's phone is registered, alice's watches."""

    a: TestNode
    b: TestNode
    alice: EventPhone
    bob: EventPhone

    async def gone(self, node: TestNode) -> None:
        """Wait until a node has no subscription left."""
        async with asyncio.timeout(PATIENCE):
            while len(node.gateway.subscriptions):  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.005)


@asynccontextmanager
async def two(monkeypatch: pytest.MonkeyPatch | None = None) -> AsyncIterator[Two]:
    if monkeypatch is not None:
        monkeypatch.setattr(watch, "FIRST_WAIT", 0.05)
    async with (
        nodes("alice", "bob", limits=QUICK) as (a, b),
        EventPhone("alice", a.phones) as alice,
        EventPhone("bob", b.phones) as bob,
    ):
        await alice.register()
        await bob.register()
        it = Two(a, b, alice, bob)
        yield it
        for each in alice.subscriptions.values():
            if each.dialog is not None:
                await each.again(0)
        await it.gone(a)
        await it.gone(b)


async def test_the_phone_sees_who_is_there_and_their_note() -> None:
    async with two() as it:
        watching = await it.alice.subscribe(BOB)
        assert state_of(await watching.until("pending", CLOSED)).expires
        notify = await watching.until("active", OPEN)
        assert b'entity="sip:bob@mesh"' in notify.body
        published = await it.bob.publish(document(is_open=False, note="x" * 200))
        assert parse((await watching.until("active", CLOSED)).body).note == "x" * 64
        await it.bob.publish(match=published.headers.get("SIP-ETag"), expires=0)
        await watching.until("active", OPEN)
        await it.bob.register(expires=0)
        await watching.until("active", CLOSED)
        watcher = it.a.book.watchers[0]
        assert (watcher.uri, watcher.called_uri) == ("sip:alice@mesh", BOB)
        assert (watcher.openpgp_key, watcher.delegation) == (b"key of alice", b"delegation")
        assert watcher.node_public_key == it.a.public_key


async def test_a_stranger_is_not_even_asked() -> None:
    async with two() as it:
        book = it.a.book
        book.peers[BOB] = replace(book.peers[BOB], trust="new", known=False)
        watching = await it.alice.subscribe(BOB)
        await watching.until("pending")
        async with asyncio.timeout(PATIENCE):
            await book.resolving.wait()
        await watching.again(600)
        await watching.until("pending", CLOSED)
        assert not book.watchers


async def test_who_has_not_accepted_us_shows_us_nothing_until_they_do() -> None:
    async with two() as it:
        it.a.book.unseen.add("sip:alice@mesh")
        watching = await it.alice.subscribe(BOB)
        async with asyncio.timeout(PATIENCE):
            while not it.a.book.watchers:  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.005)
        assert not len(it.b.gateway.subscriptions)
        it.a.book.unseen.clear()
        call = await it.alice.call(BOB)
        rung = await it.bob.rung()
        await rung.answer()
        await call.final()
        await call.hang_up()
        await rung.ended()
        await watching.until("active", OPEN)


async def test_once_they_know_us_their_watching_us_is_enough() -> None:
    async with two() as it:
        it.a.book.unseen.add("sip:alice@mesh")
        watching = await it.alice.subscribe(BOB)
        await watching.until("pending")
        async with asyncio.timeout(PATIENCE):
            while not it.a.book.watchers:  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.005)
        it.a.book.unseen.clear()
        theirs = await it.bob.subscribe("sip:alice@mesh")
        await theirs.until("active", OPEN)
        await watching.until("active", OPEN)
        await theirs.again(0)


async def test_two_phones_share_one_subscription_in_the_mesh() -> None:
    async with two() as it, EventPhone("alice", it.a.phones) as second:
        ours = [await it.alice.subscribe(BOB), await second.subscribe(BOB)]
        for each in ours:
            await each.until("active", OPEN)
        assert len(it.a.book.watchers) == 1
        await ours[0].again(0)
        await it.bob.register(expires=0)
        await ours[1].until("active", CLOSED)
        await ours[1].again(0)
        await it.gone(it.b)


async def test_a_node_that_stops_says_so_and_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with two(monkeypatch) as it:
        watching = await it.alice.subscribe(BOB)
        await watching.until("active", OPEN)
        await it.b.gateway.subscriptions.end_all(2)
        await watching.until("active", CLOSED)
        await watching.until("active", OPEN)


async def test_who_is_no_longer_accepted_is_refused_at_the_next_refresh() -> None:
    async with two() as it:
        watching = await it.alice.subscribe(BOB)
        await watching.until("active", OPEN)
        it.a.book.unseen.add("sip:alice@mesh")
        (subscriber,) = [
            one for one in it.a.gateway._node.dialogs._legs.values() if isinstance(one, Subscriber)
        ]
        subscriber._refresh_at = 0
        subscriber._news.set()
        await watching.until("pending", CLOSED)
        await it.gone(it.b)


async def test_who_is_blocked_sees_nothing_more_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with two(monkeypatch) as it:
        watching = await it.alice.subscribe(BOB)
        await watching.until("active", OPEN)
        it.a.book.unseen.add("sip:alice@mesh")
        it.b.gateway.subscriptions.hide_from("sip:alice@mesh")
        await watching.until("active", CLOSED)
        await watching.until("pending", CLOSED)


async def test_a_node_that_has_forgotten_is_asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    async with two(monkeypatch) as it:
        watching = await it.alice.subscribe(BOB)
        await watching.until("active", OPEN)
        for notifier in tuple(it.b.gateway.subscriptions._of_nodes.values()):
            notifier.drop()
        await it.gone(it.b)
        (subscriber,) = [
            one for one in it.a.gateway._node.dialogs._legs.values() if isinstance(one, Subscriber)
        ]
        subscriber._refresh_at = 0
        subscriber._news.set()
        await watching.until("active", CLOSED)
        await watching.until("active", OPEN)


async def test_a_call_is_seen_where_the_user_wants_that() -> None:
    async with two() as it:
        watching = await it.alice.subscribe(BOB)
        await watching.until("active", OPEN)
        call = await it.alice.call(BOB)
        rung = await it.bob.rung()
        await rung.answer()
        await call.final()
        busy = await watching.until("active", b"<rpid:on-the-phone/>")
        assert parse(busy.body) == Presence(is_open=True, is_busy=True)
        await call.hang_up()
        await rung.ended()
        assert not parse((await watching.until("active", OPEN)).body).is_busy


async def test_a_phone_watches_so_many_and_no_more() -> None:
    async with two() as it:
        await it.alice.subscribe(BOB)
        refused = await it.alice.subscribe("sip:carol@mesh")
        assert refused.response is not None
        assert refused.response.status == 503


async def test_whoever_is_unknown_stays_pending() -> None:
    async with two() as it:
        watching = await it.alice.subscribe("sip:carol@mesh")
        await watching.until("pending", CLOSED)


async def test_somebody_who_is_away_is_closed() -> None:
    async with two() as it:
        book = it.a.book
        book.peers[BOB] = replace(book.peers[BOB], endpoints=())
        watching = await it.alice.subscribe(BOB)
        await watching.until("active", CLOSED)


# -- another node, exactly as told


class OtherNode:
    """A node that signs whatever it is told to."""

    def __init__(self, as_: TestNode, to: TestNode) -> None:
        self.key = as_.key
        self.to = to
        self.hop = Hop("tls", "127.0.0.1", to.mesh, to.public_key)
        self.endpoint = Endpoint(on_request=self._take)
        self.told: asyncio.Queue[Request] = asyncio.Queue()

    async def _take(self, transaction: ServerTransaction) -> None:
        self.told.put_nowait(transaction.request)

    def request(self, method: str = "SUBSCRIBE", **headers: str) -> Request:
        request = Request(method, BOB)
        known = {
            "Max-Forwards": "70",
            "From": f"<sip:alice@mesh>;tag={secrets.token_hex(4)}",
            "To": f"<{BOB}>",
            "Call-ID": secrets.token_hex(8),
            "CSeq": f"1 {method}",
            "Contact": "<sip:alice@127.0.0.1:9;transport=tls>",
            "Event": "presence",
        }
        for name, value in {**known, **headers}.items():
            request.headers.add(name.replace("_", "-"), value)
        request.set_body(None, b"")
        return request

    async def send(self, request: Request, *, signed: bool = True) -> Response:
        if signed:
            value = passport.sign(
                request, self.key.public_key().public_bytes_raw(), 1_800_000_000, self.key.sign
            )
            request.headers.set("Identity", value)
        async with asyncio.timeout(PATIENCE):
            return await self.endpoint.request(request, self.hop).final()


async def test_what_another_node_must_not_do() -> None:
    async with two() as it:
        node = OtherNode(it.a, it.b)
        async with node.endpoint:
            assert (await node.send(node.request(), signed=False)).status == 428
            assert (await node.send(node.request(To="<sip:carol@mesh>"))).status == 400
            assert (await node.send(node.request(Event="message-summary"))).status == 489
            assert (await node.send(node.request("NOTIFY"))).status == 481
            assert (await node.send(node.request("PUBLISH"))).status == 405
            it.a.book.unseen.add("sip:alice@mesh")
            assert (await node.send(node.request())).status == 403
        assert not len(it.b.gateway.subscriptions)


async def test_a_subscription_cannot_be_replayed() -> None:
    async with two() as it:
        node = OtherNode(it.a, it.b)
        async with node.endpoint:
            it.a.book.unseen.add("sip:alice@mesh")
            request = node.request()
            again = Request(request.method, request.uri, request.headers.copy())
            assert (await node.send(request)).status == 403
            it.a.book.unseen.clear()
            assert (await node.send(again)).status == 403
        assert not len(it.b.gateway.subscriptions)


async def test_an_older_subscription_of_the_same_person_gives_way() -> None:
    async with two() as it:
        node = OtherNode(it.a, it.b)
        async with node.endpoint:
            for _ in range(5):
                assert (await node.send(node.request(Expires="600"))).status == 200
                assert len(it.b.gateway.subscriptions) == 1
            for notifier in tuple(it.b.gateway.subscriptions._of_nodes.values()):
                notifier.drop()


async def test_other_nodes_subscribe_to_so_much_and_no_more() -> None:
    async with two() as it:
        book = it.a.book
        for name in "cdef":
            book.peers[f"sip:{name}@mesh"] = replace(book.peers["sip:alice@mesh"], uri=f"sip:{name}@mesh")
        one, other = OtherNode(it.a, it.b), OtherNode(it.a, it.b)
        other.key = Ed25519PrivateKey.generate()
        async with one.endpoint, other.endpoint:
            statuses = [
                (await node.send(node.request(From=f"<sip:{name}@mesh>;tag={name}"))).status
                for node, name in ((one, "c"), (one, "d"), (one, "e"), (other, "e"), (other, "f"))
            ]
            assert statuses == [200, 200, 503, 200, 503]
            assert len(it.b.gateway.subscriptions) == 3
            for notifier in tuple(it.b.gateway.subscriptions._of_nodes.values()):
                notifier.drop()


async def test_a_crowd_that_asks_at_once_is_told_to_come_back() -> None:
    async with two() as it:
        book = it.a.book
        book.judging = asyncio.Event()
        node = OtherNode(it.a, it.b)
        async with node.endpoint, asyncio.TaskGroup() as group:
            asked = [group.create_task(node.send(node.request())) for _ in range(20)]
            async with asyncio.timeout(PATIENCE):
                while sum(each.done() for each in asked) < 18:  # noqa: ASYNC110 - several tasks
                    await asyncio.sleep(0.005)
            assert {each.result().status for each in asked if each.done()} == {503}
            assert len(book.watchers) == 2
            book.unseen.add("sip:alice@mesh")
            book.judging.set()


async def test_the_time_that_another_node_may_ask_for_is_bounded() -> None:
    async with two() as it:
        node = OtherNode(it.a, it.b)
        async with node.endpoint:
            response = await node.send(node.request(Expires="99999"))
            assert response.headers.get("Expires") == "600"
            for notifier in tuple(it.b.gateway.subscriptions._of_nodes.values()):
                notifier.drop()


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Event": "dialog"}, b"", 489),
        ({"Subscription_State": ";"}, b"", 400),
        ({}, b"<!DOCTYPE x><presence/>", 400),
        ({}, b"<x>" + b"y" * 20_000, 413),
        ({"CSeq": "0 NOTIFY"}, b"", 500),
        ({"To": "<sip:alice@mesh>;tag=other"}, b"", 481),
    ],
)
async def test_a_notify_that_makes_no_sense_is_refused_and_changes_nothing(
    headers: dict[str, str], body: bytes, status: int
) -> None:
    async with two() as it:
        watching = await it.alice.subscribe(BOB)
        await watching.until("active", OPEN)
        response = await forged(it, it.b, headers, body)
        assert response.status == status
        await still_open(it, watching)


async def test_another_node_cannot_speak_for_the_one_we_asked() -> None:
    async with two() as it:
        watching = await it.alice.subscribe(BOB)
        await watching.until("active", OPEN)
        assert (await forged(it, it.a, {}, document(is_open=False))).status == 403
        await still_open(it, watching)


async def forged(it: Two, signer: TestNode, headers: dict[str, str], body: bytes) -> Response:
    """Send a NOTIFY in the dialog that alice's node has with bob's, from a connection of its own."""
    ((_, subscriber),) = [
        (key, one) for key, one in it.a.gateway._node.dialogs._legs.items() if isinstance(one, Subscriber)
    ]
    assert isinstance(subscriber, Subscriber)
    dialog = subscriber._dialog
    assert dialog is not None
    node = OtherNode(signer, it.a)
    known = {
        "From": str(dialog.remote),
        "To": str(dialog.local),
        "Call-ID": dialog.call_id,
        "CSeq": f"{(dialog.remote_seq or 0) + 1} NOTIFY",
        "Subscription_State": "active",
    }
    request = node.request("NOTIFY", **{**known, **headers})
    if body:
        request.set_body(CONTENT_TYPE, body)
    async with node.endpoint:
        return await node.send(request)


async def still_open(it: Two, watching: Subscription) -> None:
    await watching.again(600)
    await watching.until("active", OPEN)
    assert it.a.gateway.subscriptions._watches
