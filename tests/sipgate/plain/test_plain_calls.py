"""From a phone through the gateway to a plain domain: a scripted phone there, a real DNS, real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from sipgate.events import CallEnded, CallPlain, CallRefused, CallStarted
from sipgate.limits import Limits
from sipgate.plain.dns_names import DnsNames
from sipgate.plain.domains import Domains, OutsideTimers
from sipgate.protocol.server_location import Question, Record
from tests.kit.dns_server import DnsServer
from tests.kit.sip_phone import SDP, PhoneCall, SipPhone
from tests.sipgate.gateways import EchoService, TestNode, nodes
from tests.sipgate.parties import RawPhone
from tests.sipgate.test_inside_calls import accept, take
from tests.sipgate.test_transfer import refer, replaces

FAST = OutsideTimers(t1=0.05, t2=0.2, t4=0.25)
CAROL = "sip:carol@example.org"


@dataclass
class Site:
    """Alice's phone at her node, and carol's phone, to which the DNS sends calls for example.org."""

    node: TestNode
    domains: Domains
    alice: SipPhone
    carol: SipPhone
    dns: DnsServer

    async def talking(self) -> tuple[PhoneCall, PhoneCall]:
        call = await self.alice.call(CAROL)
        rung = await self.carol.rung()
        await rung.answer()
        await call.response(200)
        return call, rung


@asynccontextmanager
async def site(
    *, private: bool = True, limits: Limits | None = None, transport: str = "udp"
) -> AsyncIterator[Site]:
    async with DnsServer() as dns:
        domains = Domains(DnsNames(dns.resolver), allows_private=private, timers=FAST)
        async with (
            nodes("alice", limits=limits, domains=domains) as (node,),
            SipPhone("alice", node.phones) as alice,
            SipPhone("carol", domains.port, transport="tcp" if transport == "tcp" else "udp") as carol,
        ):
            dns.zone[f"_sip._{transport}.example.org", "SRV"] = [f"10 0 {carol.port} pbx.example.org."]
            dns.zone["pbx.example.org", "A"] = ["127.0.0.1"]
            await alice.register()
            yield Site(node, domains, alice, carol, dns)
            await node.idle()
            assert len(domains.dialogs) == 0


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_to_another_domain_and_what_is_said_of_it(transport: str) -> None:
    async with site(transport=transport) as it:
        call = await it.alice.call(f"{CAROL};user=phone")
        rung = await it.carol.rung()
        invite = rung.invite
        assert invite is not None
        assert invite.uri == f"{CAROL};user=phone"
        assert invite.from_.display_name == "Alice"
        assert invite.from_.uri.user == "alice"
        assert invite.from_.uri.host == "127.0.0.1"
        for name in ("Identity", "P-Asserted-Identity", "Authorization", "Proxy-Authorization"):
            assert name not in invite.headers
        assert invite.headers.get("Content-Type") == "application/sdp"
        await rung.answer()
        answer = await call.response(200)
        assert answer.headers.get("P-Asserted-Identity") == f'"carol@example.org · not encrypted" <{CAROL}>'
        assert (await call.hang_up()).status == 200
        await rung.ended()
    assert it.node.names() == ["Started", "Plain", "Ringing", "Answered", "Ended"]
    started = next(event for event in it.node.events if isinstance(event, CallStarted))
    assert (started.peer, started.trust, started.direction) == (CAROL, "plain", "out")
    assert CallPlain(started.call, CAROL) in it.node.events
    context = it.node.media.opened[0].context
    assert context.peer.trust == "plain"
    assert context.may_reach("10.0.0.1")


@pytest.mark.parametrize(("dialled", "privacy"), [(CAROL, "id"), ("sip:*67carol@example.org", "none")])
async def test_another_domain_is_not_told_whose_call_it_is_when_that_is_to_be_kept_back(
    dialled: str, privacy: str
) -> None:
    async with site() as it:
        call = await it.alice.call(dialled, Privacy=privacy)
        rung = await it.carol.rung()
        invite = rung.invite
        assert invite is not None
        assert invite.from_.display_name == "Anonymous"
        assert str(invite.from_.uri) == "sip:anonymous@anonymous.invalid"
        assert invite.headers.get("Privacy") == "id"
        assert "P-Asserted-Identity" not in invite.headers
        assert b"alice" not in bytes(invite).lower()
        assert it.node.media.opened[0].context.anonymous
        await rung.answer()
        await call.response(200)
        assert (await rung.hang_up()).status == 200
        await call.ended()
    started = next(event for event in it.node.events if isinstance(event, CallStarted))
    assert (started.peer, started.anonymous) == (CAROL, True)


async def test_the_far_side_hangs_up() -> None:
    async with site() as it:
        call, rung = await it.talking()
        assert (await rung.hang_up()).status == 200
        await call.ended()
    assert isinstance(it.node.events[-1], CallEnded)
    assert it.node.events[-1].by == "peer"


async def test_the_caller_gives_up() -> None:
    async with site() as it:
        call = await it.alice.call(CAROL)
        rung = await it.carol.rung()
        await call.response(180)
        await call.cancel()
        await rung.cancelled()
        await rung.say(487)
        assert (await call.final()).status == 487


async def test_either_side_holds() -> None:
    async with site() as it:
        call, rung = await it.talking()
        held = SDP + b"a=sendonly\r\n"
        for one, other in ((call, rung), (rung, call)):
            async with asyncio.TaskGroup() as tasks:
                asked = tasks.create_task(one.send("INVITE", held))
                transaction = await take(other, "INVITE")
                assert b"a=sendonly" in transaction.request.body
                await accept(other, transaction, SDP + b"a=recvonly\r\n")
            assert b"a=recvonly" in asked.result().body
        await call.hang_up()
        await rung.ended()


async def test_a_service_may_call_too() -> None:
    async with site() as it:
        call = await it.node.gateway.place_call("sip:alice@mesh", CAROL, EchoService())
        rung = await it.carol.rung()
        await rung.answer()
        assert await call.confirmed()
        await call.hang_up("enough")
        await rung.ended()


async def test_the_next_server_is_tried_when_one_is_gone_silent_or_overloaded() -> None:
    async with (
        site() as it,
        SipPhone("busy", it.domains.port) as busy,
        SipPhone("gone", it.domains.port) as gone,
    ):
        gone.vanish()
        busy.rings_by_itself = False
        with RawPhone(it.domains.port) as silent:
            ports = (gone.port, silent.port, busy.port, it.carol.port)
            it.dns.zone["_sip._udp.example.org", "SRV"] = [
                f"{priority} 0 {port} pbx.example.org." for priority, port in enumerate(ports)
            ]
            call = await it.alice.call(CAROL)
            await (await busy.rung()).say(503)
            rung = await it.carol.rung()
            await rung.answer()
            await call.response(200)
            await call.hang_up()
            await rung.ended()
    assert it.node.names().count("Started") == 1


async def test_when_no_server_answers_the_phone_is_told() -> None:
    async with site() as it:
        it.carol.vanish()
        call = await it.alice.call(CAROL)
        final = await call.final()
        assert (final.status, final.reason) == (480, "example.org cannot be reached")


@pytest.mark.parametrize(
    ("status", "told", "words"),
    [
        (401, 403, "example.org wants a password, and this node gives none to other"),
        (407, 403, "example.org wants a password, and this node gives none to other"),
        (302, 480, "example.org wants the call to go elsewhere, which is not followed"),
        (486, 486, "Busy"),
        (404, 404, "Nobody has this name"),
    ],
)
async def test_a_refusal_is_told_in_words(status: int, told: int, words: str) -> None:
    async with site() as it:
        call = await it.alice.call(CAROL)
        rung = await it.carol.rung()
        await rung.say(status, Contact="<sip:bob@mesh>", WWW_Authenticate='Digest realm="x", nonce="y"')
        final = await call.final()
        assert final.status == told
        assert final.reason.startswith(words)
        assert it.carol.incoming.empty()
    assert isinstance(it.node.events[-1], CallRefused)


async def test_off_by_default_and_said_so() -> None:
    async with nodes("alice") as (node,), SipPhone("alice", node.phones) as alice:
        await alice.register()
        final = await (await alice.call(CAROL)).final()
        assert final.status == 404
        assert "calls to other domains are turned off" in (final.headers.get("Reason") or "")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254"])
async def test_a_domain_cannot_send_us_into_our_own_network(address: str) -> None:
    async with site(private=False) as it:
        it.dns.zone["pbx.example.org", "A"] = [address]
        final = await (await it.alice.call(CAROL)).final()
        assert final.status == 403
        assert "private network" in (final.headers.get("Reason") or "")
        final = await (await it.alice.call(f"sip:carol@{address}:5070")).final()
        assert final.status in (403, 404)
        assert it.carol.incoming.empty()


async def test_a_domain_that_is_not_there_is_told() -> None:
    async with site() as it:
        final = await (await it.alice.call("sip:carol@nowhere.example")).final()
        assert (final.status, final.reason) == (404, "There is no domain nowhere.example that takes calls")


@pytest.mark.parametrize(
    "dialled",
    ["sip:nobody@mesh", "sip:bob@typo.mesh", "sip:bob", "sip:bob@localhost", "sip:bob@printer.local"],
)
async def test_the_dns_never_hears_of_names_in_the_mesh(dialled: str) -> None:
    async with site() as it:
        assert (await (await it.alice.call(dialled)).final()).status == 404
        assert it.dns.asked == []


async def test_nobody_calls_us_from_there() -> None:
    async with site() as it:
        for method, status in (("INVITE", 403), ("REGISTER", 403), ("OPTIONS", 403), ("MESSAGE", 403)):
            request = it.carol.request(method, "sip:alice@127.0.0.1")
            assert (await it.carol.send(request)).status == status
        request = it.carol.request("BYE", "sip:alice@127.0.0.1", "<sip:alice@mesh>;tag=made-up")
        assert (await it.carol.send(request)).status == 481


async def test_nobody_is_sent_on_from_or_to_there() -> None:
    async with site() as it:
        call, rung = await it.talking()
        for one in (call, rung):
            request = one.inside_request("REFER")
            request.headers.add("Refer-To", "<sip:bob@mesh>")
            assert (await one.phone.endpoint.request(request, one.phone.hop).final()).status == 603
        await call.hang_up()
        await rung.ended()


async def test_a_far_side_that_vanishes_ends_the_call() -> None:
    async with site(limits=Limits(session_interval=1)) as it:
        it.alice.says_that_it_is_there = True
        call, _ = await it.talking()
        it.carol.vanish()
        await call.ended()
    assert isinstance(it.node.events[-1], CallEnded)


async def test_a_dns_that_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipgate.plain.domains.LOOKUP_SECONDS", 0.1)

    class Slow:
        async def ask(self, question: Question) -> list[Record]:  # noqa: ARG002 - whatever it is
            await asyncio.sleep(60)
            return []

    async with (
        nodes("alice", domains=Domains(Slow(), timers=FAST)) as (node,),
        SipPhone("alice", node.phones) as alice,
    ):
        await alice.register()
        assert (await (await alice.call(CAROL)).final()).status == 503


async def test_what_follows_goes_where_the_answer_says() -> None:
    """A proxy that stays in the way says so by Record-Route; else the Contact is the next hop (RFC 3261 12.2.1.1)."""
    async with site() as it, SipPhone("proxy", it.domains.port) as proxy:
        for routed in (True, False):
            call = await it.alice.call(CAROL)
            rung = await it.carol.rung()
            way = f"<sip:127.0.0.1:{proxy.port}{';lr' if routed else ''}>"
            headers = {"Record_Route": way} if routed else {"Contact": f"<sip:carol@127.0.0.1:{proxy.port}>"}
            assert rung.transaction is not None
            await rung.say(200, SDP, **headers)
            await call.response(200)
            proxy.calls.append(rung)
            assert (await call.hang_up()).status == 200
            bye = await rung.ended()
            assert bye.headers.get("Route") == (way if routed else None)
            assert proxy.calls.pop() is rung


async def test_an_answer_that_names_a_place_where_we_may_not_go_is_followed_where_it_came_from() -> None:
    async with site() as it:
        it.domains.may_reach = lambda address: address == "127.0.0.1"  # type: ignore[method-assign]
        call = await it.alice.call(CAROL)
        rung = await it.carol.rung()
        await rung.say(200, SDP, Contact="<sip:carol@10.1.2.3:5060>")
        await call.response(200)
        assert (await call.hang_up()).status == 200
        await rung.ended()


async def test_nobody_in_the_mesh_is_sent_into_a_call_with_a_plain_domain() -> None:
    async with site() as it, SipPhone("alice", it.node.phones) as kitchen:
        await kitchen.register()
        outside, rung = await it.talking()
        inside = await it.alice.call("sip:alice@mesh")
        answering = await kitchen.rung()
        await answering.answer()
        await inside.response(200)
        assert await refer(inside, replaces(outside)) == 404
        for call, other in ((inside, answering), (outside, rung)):
            await call.hang_up()
            await other.ended()
