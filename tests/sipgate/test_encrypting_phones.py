"""Phones that are paired to encrypt: nothing of theirs in the clear, and the node between them and plain ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import quote

import pytest

from sipgate.calls.inside import Place, media_side, talk_directly
from sipgate.calls.line import UNENCRYPTED
from sipgate.ports import PhoneSide
from sipgate.protocol.message import Response
from sipgate.tls import server_context
from sipgate.transport import Hop
from tests.kit.sip_phone import SDP, PhoneCall, SipPhone

from .gateways import TestNode, nodes, user
from .test_inside_calls import accept, end, take

KEYS = b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n"
SRTP = SDP.replace(b"RTP/AVP", b"RTP/SAVP") + KEYS
DTLS = SDP.replace(b"RTP/AVP", b"UDP/TLS/RTP/SAVPF") + b"a=fingerprint:sha-256 AB\r\na=setup:actpass\r\n"
HELD = SRTP + b"a=sendonly\r\n"


@asynccontextmanager
async def device(node: TestNode, name: str, port: int) -> AsyncIterator[SipPhone]:
    """A phone that is paired with a node, registered over TLS."""
    phone = SipPhone(name, port)
    phone.hop = Hop("tls", "127.0.0.1", port, node.public_key)
    async with phone:
        assert (await phone.register()).status == 200
        yield phone


@asynccontextmanager
async def scene(
    by_dtls: str = "",
) -> AsyncIterator[tuple[TestNode, TestNode, SipPhone, SipPhone, SipPhone, SipPhone]]:
    """Alice and anna at one node have to encrypt, zoe there is plain on loopback; bob is at another node."""
    paired = [
        user(name, device=f"{name}s", may_be_plain=False, by_dtls=name == by_dtls)
        for name in ("alice", "anna")
    ]
    async with nodes("alice", "bob", users={"alice": [*paired, user("zoe")]}) as (a, b):
        port = await a.gateway.devices.listen("127.0.0.1", 0, server_context(a.key))
        async with (
            device(a, "alice", port) as alice,
            device(a, "anna", port) as anna,
            SipPhone("zoe", a.phones) as zoe,
            SipPhone("bob", b.phones) as bob,
        ):
            await zoe.register()
            await bob.register()
            yield a, b, alice, anna, zoe, bob


def says_why(response: Response) -> bool:
    return UNENCRYPTED in str(list(response.headers.get_all("Reason"))) + response.reason


async def test_a_call_in_the_clear_is_refused_with_the_sentence() -> None:
    async with scene() as (_, _, alice, *_):
        for offer in (SDP, SRTP + b"m=video 9000 RTP/AVP 31\r\n", SRTP + b"m=image 9000 udptl t38\r\n"):
            refused = await (await alice.call("sip:bob@mesh", offer)).final()
            assert refused.status == 488
            assert says_why(refused)


async def test_a_stream_that_is_off_may_be_of_any_kind() -> None:
    async with scene() as (_, _, alice, _, _, bob):
        call = await alice.call("sip:bob@mesh", SRTP + b"m=image 0 udptl t38\r\n")
        rung = await bob.rung()
        await rung.answer()
        assert (await call.response(200)).body
        await end(call, rung)


async def test_a_change_into_the_clear_is_refused_and_the_call_goes_on() -> None:
    async with scene() as (_, _, alice, _, _, bob):
        call = await alice.call("sip:bob@mesh", SRTP)
        rung = await bob.rung()
        await rung.answer()
        await call.response(200)
        for method in ("INVITE", "UPDATE"):
            refused = await call.send(method, SDP + b"a=sendonly\r\n")
            assert refused.status == 488
            assert says_why(refused)
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(call.send("INVITE", HELD))
            await accept(rung, await take(rung, "INVITE"))
        assert asked.result().status == 200
        await end(call, rung)


async def rings(bob: SipPhone, alice: SipPhone) -> tuple[PhoneCall, PhoneCall]:
    call = await bob.call("sip:alice@mesh")
    rung = await alice.rung()
    assert b"RTP/SAVP" in rung.offer
    return call, rung


async def test_a_phone_is_called_as_it_was_paired_and_calls_as_it_likes() -> None:
    async with scene(by_dtls="alice") as (_, _, alice, anna, zoe, bob):
        call, rung = await rings(bob, alice)
        assert b" UDP/TLS/RTP/SAVP " in rung.offer
        await rung.answer(DTLS)
        await call.response(200)
        await end(call, rung)
        call = await zoe.call("sip:anna@mesh")
        rung = await anna.rung()
        assert b" RTP/SAVP " in rung.offer
        await rung.answer(SRTP)
        await call.response(200)
        await end(call, rung)
        for offer in (SRTP, DTLS):
            call = await alice.call("sip:bob@mesh", offer)
            rung = await bob.rung()
            await rung.answer()
            await call.response(200)
            await end(call, rung)


async def test_phones_that_agree_on_keys_in_one_way_talk_directly_and_others_do_not() -> None:
    async with scene(by_dtls="anna") as (_, _, alice, anna, _, _):
        for offer in (DTLS, SRTP):
            call = await alice.call("sip:anna@mesh", offer)
            rung = await anna.rung()
            assert (b"a=x-relay" in rung.offer) is (offer is SRTP), "the media of the node"
            await rung.answer(DTLS)
            await call.response(200)
            await end(call, rung)


async def test_an_answer_in_the_clear_ends_the_call_and_both_hear_why() -> None:
    async with scene() as (_, _, alice, _, _, bob):
        call, rung = await rings(bob, alice)
        await rung.answer(SDP)
        assert UNENCRYPTED in str((await rung.ended()).headers.get("Reason"))
        refused = await call.final()
        assert refused.status == 488
        assert says_why(refused)


async def test_early_media_in_the_clear_is_not_taken() -> None:
    async with scene() as (_, _, alice, _, _, bob):
        call, rung = await rings(bob, alice)
        await rung.say(183, SDP)
        await rung.say(183, SRTP)
        assert b"RTP/SAVP" in (await call.response(183)).body
        await rung.answer(SRTP)
        await call.response(200)
        await end(call, rung)


async def test_a_phone_that_answers_a_change_in_the_clear_is_hung_up() -> None:
    async with scene() as (_, _, alice, _, _, bob):
        call, rung = await rings(bob, alice)
        await rung.answer(SRTP)
        await call.response(200)
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(call.send("INVITE", SDP + b"a=sendonly\r\n"))
            changing = await take(rung, "INVITE")
            assert b"RTP/SAVP" in changing.request.body
            await accept(rung, changing, SDP)
        assert asked.result().status == 487, "the call is over"
        for end_of_call in (rung, call):
            assert UNENCRYPTED in str((await end_of_call.ended()).headers.get("Reason"))


@pytest.mark.parametrize("by_plain", [True, False])
async def test_the_node_stands_between_a_phone_that_encrypts_and_one_that_does_not(*, by_plain: bool) -> None:
    async with scene() as (a, _, alice, _, zoe, _):
        caller, callee = (zoe, alice) if by_plain else (alice, zoe)
        theirs, ours = (SDP, SRTP) if by_plain else (SRTP, SDP)
        call = await caller.call(f"sip:{callee.user}@mesh", theirs)
        rung = await callee.rung()
        assert b"a=x-relay-offer-out" in rung.offer
        assert (b"RTP/SAVP" in rung.offer) or not by_plain
        await rung.answer(ours)
        assert b"a=x-relay-answer-in" in (await call.response(200)).body
        loopback = PhoneSide("127.0.0.1", frozenset({"127.0.0.1"}))
        assert a.media.sides == [(loopback, loopback)]
        for holds, other, said, back in ((call, rung, theirs, ours), (rung, call, ours, theirs)):
            async with asyncio.TaskGroup() as tasks:
                asked = tasks.create_task(holds.send("INVITE", said + b"a=sendonly\r\n"))
                changing = await take(other, "INVITE")
                mark = b"a=x-relay-offer-out" if holds is call else b"a=x-relay-offer-in"
                assert mark in changing.request.body
                await accept(other, changing, back)
            assert asked.result().status == 200
        await end(rung, call)


@pytest.mark.parametrize(("caller", "callee", "sdp"), [("alice", "anna", SRTP), ("zoe", "zed", SDP)])
async def test_two_phones_of_one_kind_talk_directly(caller: str, callee: str, sdp: bytes) -> None:
    async with scene() as (a, _, alice, anna, zoe, _), SipPhone("zed", a.phones) as zed:
        a.accounts.users.append(user("zed"))
        await zed.register()
        phones = {phone.user: phone for phone in (alice, anna, zoe, zed)}
        call = await phones[caller].call(f"sip:{callee}@mesh", sdp)
        rung = await phones[callee].rung()
        assert rung.offer == sdp
        await rung.answer(sdp)
        assert (await call.response(200)).body == sdp
        assert a.media.opened == []
        if sdp == SRTP:
            assert says_why(await rung.send("INVITE", SDP))
        await end(call, rung)


async def test_a_phone_that_is_sent_on_keeps_its_encryption_and_the_other_one_its_own() -> None:
    """Alice has called anna; anna sends her on to zoe, who is plain."""
    async with scene() as (a, _, alice, anna, zoe, _):
        call = await alice.call("sip:anna@mesh", SRTP)
        rung = await anna.rung()
        await rung.answer(SRTP)
        await call.response(200)
        refer = rung.inside_request("REFER")
        refer.headers.add("Refer-To", f"<sip:{quote('zoe')}@mesh>")
        assert (await anna.endpoint.request(refer, anna.hop).final()).status == 202
        target = await zoe.rung()
        assert b"a=x-relay-offer-out" in target.offer
        await target.answer(SDP.replace(b"RTP/AVP", b"RTP/SAVP"))  # as the relay of these tests passes it on
        changing = await take(call, "INVITE")
        assert b"RTP/SAVP" in changing.request.body
        await accept(call, changing, SRTP)
        await changing.acked
        assert len(a.media.sides) == 1
        await call.hang_up()
        await target.ended()
        await rung.ended()


async def test_a_phone_here_that_takes_srtp_alone_is_asked_again_and_stays_with_it() -> None:
    async with scene() as (_, b, _, _, zoe, bob):
        call = await zoe.call("sip:bob@mesh")
        refusing = await bob.rung()
        assert b"RTP/AVP" in refusing.offer
        await refusing.say(488)
        rung = await bob.rung()
        assert b"RTP/SAVP" in rung.offer
        await rung.answer(SRTP)
        assert b"a=x-caller-answer-in" in (await call.response(200)).body
        assert b.media.opened[-1].rang_alone == [True]
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(call.send("INVITE", SDP + b"a=sendonly\r\n"))
            changing = await take(rung, "INVITE")
            assert b"RTP/SAVP" in changing.request.body
            await accept(rung, changing, SRTP)
        assert asked.result().status == 200
        await end(call, rung)


async def test_a_phone_that_takes_neither_is_asked_twice_and_no_more() -> None:
    async with scene() as (_, _, _, _, zoe, bob):
        call = await zoe.call("sip:bob@mesh")
        for _ in range(2):
            await (await bob.rung()).say(488)
        assert (await call.final()).status == 488


async def test_a_phone_that_insists_on_srtp_and_answers_in_the_clear_is_hung_up() -> None:
    async with scene() as (_, _, _, _, zoe, bob):
        call = await zoe.call("sip:bob@mesh")
        await (await bob.rung()).say(488)
        rung = await bob.rung()
        await rung.answer(SDP)
        await rung.ended()
        assert (await call.final()).status == 488


async def test_between_phones_that_talk_directly_the_node_has_no_keys_to_offer() -> None:
    async with scene() as (a, _, _, _, zoe, _), SipPhone("zed", a.phones) as zed:
        a.accounts.users.append(user("zed"))
        await zed.register()
        call = await zoe.call("sip:zed@mesh")
        await (await zed.rung()).say(488)
        assert (await call.final()).status == 488


@pytest.mark.parametrize("alone", [True, False])
async def test_the_media_learns_whether_a_phone_rings_alone(*, alone: bool) -> None:
    async with scene() as (a, _, alice, _, _, bob), SipPhone("alice", alice.hop.port) as other:
        other.hop = alice.hop
        if not alone:
            await other.register()
        call = await bob.call("sip:alice@mesh")
        rung = await alice.rung()
        assert a.media.opened[-1].rang_alone == ([True] if alone else [False, False])
        await rung.answer(SRTP)
        await call.response(200)
        await end(call, rung)


LAN = Place("192.0.2.1", frozenset({"192.0.2.7"}))
PAIRED = Place("192.0.2.1", frozenset({"192.0.2.8"}), must_encrypt=True)
BY_DTLS = replace(PAIRED, by_dtls=True)
HERE = Place("127.0.0.1", frozenset({"127.0.0.1"}))


@pytest.mark.parametrize(
    ("caller", "offer", "callees", "is_sent_on", "directly"),
    [
        (LAN, SDP, (LAN,), False, True),
        (LAN, SDP, (LAN, LAN), True, True),
        (HERE, SDP, (HERE,), False, True),
        (HERE, SRTP, (HERE,), False, True),
        (LAN, SRTP, (LAN,), False, False),
        (LAN, SDP, (HERE,), False, False),
        (HERE, SDP, (LAN,), False, False),
        (LAN, SDP, (PAIRED,), False, False),
        (PAIRED, SRTP, (LAN,), False, False),
        (PAIRED, SRTP, (PAIRED,), False, True),
        (PAIRED, SRTP, (PAIRED,), True, False),
        (PAIRED, SRTP, (PAIRED, PAIRED), False, False),
        (PAIRED, SRTP, (PAIRED, LAN), False, False),
        (PAIRED, SRTP, (BY_DTLS,), False, False),
        (PAIRED, DTLS, (BY_DTLS,), False, True),
        (BY_DTLS, DTLS, (BY_DTLS,), True, False),
        (BY_DTLS, DTLS, (PAIRED,), False, False),
        (BY_DTLS, SRTP, (PAIRED,), False, True),
        (LAN, DTLS, (LAN,), False, True),
    ],
)
def test_who_talks_directly(
    caller: Place, offer: bytes, callees: tuple[Place, ...], *, is_sent_on: bool, directly: bool
) -> None:
    assert talk_directly(caller, offer, callees, is_sent_on=is_sent_on) is directly


def test_phones_here_and_on_the_lan_share_a_port_that_both_reach() -> None:
    assert media_side((HERE, LAN)) == PhoneSide(
        "192.0.2.1", frozenset({"127.0.0.1", "192.0.2.7", "192.0.2.1"})
    )
    assert media_side((LAN, PAIRED)) == PhoneSide("192.0.2.1", frozenset({"192.0.2.7", "192.0.2.8"}))
    assert media_side((HERE,)) == PhoneSide("127.0.0.1", frozenset({"127.0.0.1"}))
