"""Calls without a name between two gateways: what the other node gets to see, and what each phone asks and shows."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sipgate.call_rules import RingAlways
from sipgate.events import CallMissed, CallRefused, CallStarted
from sipgate.ports import Alias, LocalUser, Peer, Refusal
from sipgate.protocol.privacy import ANONYMOUS
from sipgate.server_transaction import ServerTransaction
from sipgate.transport import Flow

from .gateways import Book, EchoService, Media, Pair, TestNode, pair
from .parties import pair as tls_pair
from .parties import until
from .test_transfer import BOBS, CAROLS, refer, three

NOBODY = f"sip:anonymous@{'a' * 32}.mesh"


@dataclass
class Aliases:
    """Aliases with stand-ins for keys; the callee's node believes each."""

    book: Book
    media: Media
    drawn: list[Alias] = field(default_factory=list)

    async def draw(self) -> Alias:
        user = LocalUser(NOBODY, "anonymous", "Anonymous", b"key of nobody", b"delegation", "")
        self.book.peers[NOBODY] = Peer(ANONYMOUS, "Anonymous", "anonymous", "0" * 40, b"", known=False)
        self.drawn.append(Alias(user, Ed25519PrivateKey.generate(), self.book, self.media, self.book))
        return self.drawn[-1]


@dataclass
class Tapped:
    """Two nodes, and all that the callee's has got from the caller's in the clear text of its TLS connections."""

    pair: Pair
    aliases: Aliases
    heard: list[bytes] = field(default_factory=list)
    connections: set[int] = field(default_factory=set)

    @property
    def alice(self) -> TestNode:
        return self.pair.a

    def assert_nothing_of_alice(self) -> None:
        text, key = b"\n".join(self.heard).lower(), self.alice.public_key
        assert text
        for told in (
            b"alice",
            str(self.alice.mesh).encode(),
            base64.b32encode(key).rstrip(b"=").lower(),
            key,
            key.hex().encode(),
        ):
            assert told not in text


@asynccontextmanager
async def tapped() -> AsyncIterator[Tapped]:
    async with pair() as it:
        aliases = Aliases(it.book, it.a.media)
        it.a.gateway._node.aliases = aliases
        made, endpoint = Tapped(it, aliases), it.b.gateway._endpoint
        take = endpoint.data_received

        def tap(data: bytes, flow: Flow) -> None:
            if flow.side == "mesh":
                made.heard.append(data)
                made.connections.add(id(flow))
            take(data, flow)

        endpoint.data_received = tap  # type: ignore[method-assign]
        yield made


@pytest.mark.parametrize(
    ("dialled", "headers"),
    [
        ("sip:bob@mesh", {"Privacy": "id"}),
        ("sip:bob@mesh", {"Privacy": "user;critical"}),
        ("sip:bob@mesh", {"Privacy": "session"}),
        ("sip:bob@mesh", {"From": '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=x'}),
        ("sip:*67bob@mesh", {}),
        ("sip:%2A67bob@mesh", {"Privacy": "none"}),
    ],
)
async def test_a_call_without_a_name_tells_the_other_node_nothing_of_the_caller(
    dialled: str, headers: dict[str, Any]
) -> None:
    async with tapped() as it:
        call = await it.pair.alice.call(dialled, **headers)
        rung = await it.pair.bob.rung()
        ringing = await call.response(180)
        assert ringing.headers.get("P-Asserted-Identity") == '"Bob · same key" <sip:bob@mesh>'
        await rung.answer()
        await call.response(200)
        assert rung.invite is not None
        assert str(rung.invite.from_.uri) == "sip:anonymous@anonymous.invalid"
        assert rung.invite.from_.display_name == "Anonymous"
        assert rung.invite.headers.get("Privacy") == "id"
        assert "P-Asserted-Identity" not in rung.invite.headers
        assert (await call.hang_up()).status == 200
        await rung.ended()
        it.assert_nothing_of_alice()
        caller = it.pair.book.admitted[-1]
        own = it.aliases.drawn[0]
        assert caller.node_public_key == own.node_key.public_key().public_bytes_raw()
        assert caller.openpgp_key == b"key of nobody"
        near, far = (node.media.opened[0].context for node in (it.pair.a, it.pair.b))
        assert (near.anonymous, near.peer.known, near.peer.trust) == (True, False, "pinned")
        assert (far.anonymous, far.peer.uri, far.peer.trust) == (False, ANONYMOUS, "anonymous")
        begun = [event for event in (*it.pair.a.events, *it.pair.b.events) if isinstance(event, CallStarted)]
        assert [(each.peer, each.anonymous) for each in begun] == [("sip:bob@mesh", True), (ANONYMOUS, True)]


async def test_the_other_side_hangs_up_on_the_connection_of_the_call_which_then_closes() -> None:
    async with tapped() as it:
        call = await it.pair.alice.call("sip:*67bob@mesh")
        rung = await it.pair.bob.rung()
        await rung.answer()
        await call.response(200)
        assert (await rung.hang_up()).status == 200
        await call.ended()
        await it.pair.a.idle()
        await until(lambda: not it.pair.a.gateway._endpoint._flows.connections._by_hop)


async def test_no_two_calls_share_keys_or_a_connection() -> None:
    async with tapped() as it:
        for number, dialled in enumerate(("sip:bob@mesh", "sip:*67bob@mesh", "sip:*67bob@mesh"), 1):
            call = await it.pair.alice.call(dialled)
            rung = await it.pair.bob.rung()
            await rung.answer()
            await call.response(200)
            await call.hang_up()
            await rung.ended()
            await it.pair.a.idle()
            assert len(it.connections) == number
        one, other = it.aliases.drawn
        assert one.node_key.public_key() != other.node_key.public_key()


async def test_a_caller_who_gives_up_leaves_no_connection() -> None:
    async with tapped() as it:
        call = await it.pair.alice.call("sip:*67bob@mesh")
        await call.response(180)
        await call.cancel()
        assert (await call.final()).status == 487
        await it.pair.a.idle()
        await until(lambda: not it.pair.a.gateway._endpoint._flows.connections._by_hop)


async def test_a_connection_that_nobody_wants_any_more_when_it_stands_is_closed() -> None:
    async with tls_pair() as it, asyncio.TaskGroup() as group:
        connections = it.a._flows.connections
        hop = replace(it.hops["tls"], alone="secret")
        connecting = group.create_task(connections.connect(hop))
        await asyncio.sleep(0)
        connections.leave("secret")
        await (await connecting).closed()
        assert connections.to(hop) is None


class Shy(RingAlways):
    def calls_anonymously(self, user: LocalUser) -> bool:  # noqa: ARG002
        return True


@pytest.mark.parametrize(
    ("dialled", "headers", "trust"),
    [
        ("sip:bob@mesh", {}, "anonymous"),
        ("sip:*82bob@mesh", {}, "pinned"),
        ("sip:*82bob@mesh", {"Privacy": "id"}, "pinned"),
        ("sip:bob@mesh", {"Privacy": "none"}, "pinned"),
    ],
)
async def test_who_hides_always_shows_the_name_when_asked_to(
    dialled: str, headers: dict[str, Any], trust: str
) -> None:
    async with tapped() as it:
        it.alice.gateway._node.rules = Shy()
        call = await it.pair.alice.call(dialled, **headers)
        await it.pair.bob.rung()
        started = await it.pair.b.event(CallStarted)
        assert isinstance(started, CallStarted)
        assert started.trust == trust
        await call.cancel()
        missed = await it.pair.b.event(CallMissed)
        assert isinstance(missed, CallMissed)
        assert missed.trust == trust


@pytest.mark.parametrize(
    ("dialled", "headers", "status", "words"),
    [
        ("sip:bob@mesh", {"Privacy": "session;critical"}, 500, "not its own address"),
        ("sip:bob@mesh", {"Privacy": "none;id"}, 400, ""),
        ("sip:*67@mesh", {}, 404, "the name in one"),
        ("sip:anonymous@anonymous.invalid", {}, 404, "cannot be called back"),
    ],
)
async def test_what_cannot_be_done_is_refused_in_words(
    dialled: str, headers: dict[str, Any], status: int, words: str
) -> None:
    async with tapped() as it:
        answer = await (await it.pair.alice.call(dialled, **headers)).final()
        assert answer.status == status
        assert words in (answer.headers.get("Reason") or "")


async def test_a_node_that_has_no_aliases_does_not_call_instead() -> None:
    async with pair() as it:
        call = await it.alice.call("sip:*67bob@mesh")
        assert (await call.final()).status == 500
        assert it.book.admitted == []


async def test_who_takes_no_anonymous_calls_says_so() -> None:
    async with tapped() as it:
        it.pair.book.turned_away[NOBODY] = Refusal(433, "bob takes no anonymous calls. Call with your name.")
        call = await it.pair.alice.call("sip:bob@mesh", Privacy="id")
        answer = await call.final()
        assert (answer.status, answer.reason) == (433, "bob takes no anonymous calls. Call with your name.")
        refused = await it.pair.b.event(CallRefused)
        assert isinstance(refused, CallRefused)
        assert refused.peer == ANONYMOUS


async def test_own_services_are_called_with_ones_own_keys() -> None:
    async with tapped() as it:
        it.alice.services["sip:echo@mesh"] = EchoService
        own = it.alice.accounts.users[0]
        ports = (("127.0.0.1", it.alice.mesh),)
        echo = Peer("sip:echo@mesh", "echo", "self", "", it.alice.public_key, known=True, endpoints=ports)
        it.pair.book.peers["sip:echo@mesh"] = echo
        call = await it.pair.alice.call("sip:*67echo@mesh")
        assert (await call.final()).status == 200
        assert it.pair.book.admitted[-1].openpgp_key == own.openpgp_key
        await call.hang_up()


@pytest.mark.parametrize(("value", "status"), [("id", 403), ("id;critical", 500), ("none", 200)])
async def test_no_message_goes_out_with_a_name_that_was_to_be_kept_back(value: str, status: int) -> None:
    async with tapped() as it:
        answer = await it.pair.alice.write("sip:bob@mesh", b"psst", Privacy=value)
        assert answer.status == status
        assert bool(it.heard) is (status == 200)


async def test_who_calls_anonymously_is_sent_on_anonymously_and_sends_on_anonymously() -> None:
    async with three() as it:
        it.a.gateway._node.aliases = Aliases(it.a.book, it.a.media)
        referrers: list[str | None] = []
        sees = it.b.gateway._dispatch

        async def see(transaction: ServerTransaction) -> None:
            if transaction.flow.side == "mesh" and transaction.request.method == "REFER":
                referrers.append(transaction.request.headers.get("Referred-By"))
            await sees(transaction)

        it.b.gateway._dispatch = see  # type: ignore[method-assign]
        call = await it.alice.call("sip:*67bob@mesh")
        rung = await it.bob.rung()
        await rung.answer(BOBS)
        await call.response(200)
        near, far = it.inside(call), it.inside(rung, BOBS)
        assert await refer(near.call, "<sip:carol@mesh>") == 202
        second = await it.carol.rung()
        assert second.invite is not None
        await second.say(486)
        await near.report("terminated SIP/2.0 486")
        assert it.a.book.admitted[-1].uri == "sip:bob@mesh"
        assert referrers == [f"<{ANONYMOUS}>"]
        assert await refer(far.call, "<sip:carol@mesh>") == 202
        third = await it.carol.rung()
        assert third.invite is not None
        assert str(third.invite.from_.uri) == ANONYMOUS
        assert it.a.book.admitted[-1].openpgp_key == b"key of nobody"
        await third.answer(CAROLS)
        await far.report("terminated SIP/2.0 200")
        await far.call.ended()
        await near.call.hang_up()
        await third.ended()


async def test_who_hides_always_is_not_shown_to_whom_somebody_sends_them() -> None:
    async with three() as it:
        it.a.gateway._node.aliases = Aliases(it.a.book, it.a.media)
        call = await it.bob.call("sip:alice@mesh")
        rung = await it.alice.rung()
        await rung.answer()
        await call.response(200)
        it.a.gateway._node.rules = Shy()
        it.inside(rung)
        assert await refer(call, "<sip:carol@mesh>") == 202
        new = await it.carol.rung()
        assert new.invite is not None
        assert str(new.invite.from_.uri) == ANONYMOUS
        await new.say(486)
        await call.hang_up()
        await rung.ended()
