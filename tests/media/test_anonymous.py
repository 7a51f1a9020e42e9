"""Calls whose caller stays anonymous: what goes out of the node, to another one and to a plain domain."""

import struct

from .call_pair import call, rtp, sender_report, until
from .protocol.test_zrtp import zrtp
from .test_plain_call import call as plain_call
from .test_plain_call import port_of, sdp

NAMED = "a=ssrc:7 cname:alice@house\r\na=tool:alice\r\n"
SDES = struct.pack("!BBHI", 0x81, 202, 5, 7) + b"\x01\x0balice@house\x00\x00\x00"
TOLD = struct.pack("!BBHI", 0x81, 202, 4, 7) + b"\x01\x09anonymous\x00"


async def test_the_other_node_gets_sound_and_no_name() -> None:
    async with call(caller={"anonymous": True}) as pair:
        offer = pair.caller.phone.sdp(extra=NAMED).replace(b"o=phone", b"o=alice")
        mesh = await pair.caller.media.offer_from_phone(offer)
        assert b"alice" not in mesh
        pair.callee.phone.listen_to(await pair.callee.media.offer_from_mesh(mesh))
        fragment = pair.callee.media.transport_fragment()
        assert fragment is not None
        await pair.caller.media.transport_from_mesh(fragment)
        await pair.answer()
        await pair.secured()
        pair.caller.phone.send(rtp(1))
        await pair.callee.phone.hears(rtp(1))
        pair.caller.phone.send(zrtp())
        pair.caller.phone.send_rtcp(sender_report() + SDES)
        assert await pair.callee.phone.heard_rtcp.get() == sender_report() + TOLD
        pair.caller.phone.send(rtp(2))
        await pair.callee.phone.hears(rtp(2))
        pair.callee.phone.send_rtcp(sender_report(8) + SDES)
        assert await pair.caller.phone.heard_rtcp.get() == sender_report(8) + SDES
        held = await pair.callee.media.offer_from_phone(
            pair.callee.phone.sdp(direction="sendonly", version=2)
        )
        await pair.caller.media.offer_from_mesh(held)
        again = await pair.caller.media.answer_from_phone(
            pair.caller.phone.sdp(extra=NAMED, direction="recvonly", version=2)
        )
        assert b"alice" not in again
        assert b"a=recvonly" in again


async def test_a_plain_domain_gets_sound_and_no_name() -> None:
    async with plain_call(anonymous=True) as (relay, near, far):
        offered = await relay.offer_from_phone(sdp(near, *NAMED.strip().split("\r\n")))
        answered = await relay.answer_from_mesh(sdp(far, f"a=rtcp:{far.rtcp_port}"))
        assert b"alice" not in offered
        assert b"o=- 42 7 IN IP4 127.0.0.1" in offered
        near.node = ("127.0.0.1", port_of(answered))
        near.send(zrtp())
        near.send(rtp(1))
        await far.hears(rtp(1))
        near.send_rtcp(struct.pack("!BBHI", 0x80, 204, 2, 7) + b"NAME")
        near.send_rtcp(sender_report() + SDES)
        await until(lambda: not far.heard_rtcp.empty())
        assert await far.heard_rtcp.get() == sender_report() + TOLD
