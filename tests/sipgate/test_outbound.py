"""Phones that register by a connection that they keep open (RFC 5626)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from sipgate.authentication import Authenticator
from sipgate.events import PhoneRegistered, PhoneUnregistered
from sipgate.ports import LocalUser
from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Request, Response
from sipgate.protocol.outbound import FLOW_TIMER
from sipgate.stream import StreamFlow
from sipgate.transport import Flow, TransportName
from tests.kit.sip_phone import SipPhone

from .gateways import TestNode, nodes, pair
from .parties import until

PHONE = '"<urn:uuid:00000000-0000-1000-8000-000a95a0e128>"'
FAR = "192.0.2.77:5060"  # nobody is there


async def register(phone: SipPhone, *, reg_id: str = "1", expires: int = 600, **headers: str) -> Response:
    """Register with a Contact that can be reached by the connection alone."""
    request = phone.request("REGISTER", "sip:mesh", f"<sip:{phone.user}@mesh>", phone._registration)
    contact = f"<sip:{phone.user}@{FAR};transport=tcp>;reg-id={reg_id};+sip.instance={PHONE}"
    for name, value in {
        "Contact": contact,
        "Expires": str(expires),
        "Supported": "outbound",
        **headers,
    }.items():
        request.headers.set(name, value)
    return await phone.send(request)


def connection(phone: SipPhone) -> StreamFlow:
    flow = phone.endpoint._flows.connections.to(phone.hop)
    assert flow is not None
    return flow


def bound(node: TestNode, name: str = "bob") -> int:
    return len(node.gateway._node.location.bindings(name, node.gateway._now()))


async def test_a_phone_is_called_on_its_connection_for_as_long_as_that_is_open() -> None:
    async with pair() as it, SipPhone("bob", it.b.phones, transport="tcp") as far:
        await it.bob.register(expires=0)
        answer = await register(far)
        assert answer.status == 200
        assert answer.headers.get_all("Require") == ["outbound"]
        assert answer.headers.get("Flow-Timer") == str(FLOW_TIMER)
        call = await it.alice.call("sip:bob@mesh")
        rung = await far.rung()
        await rung.answer()
        await call.response(200)
        await call.hang_up()
        await rung.ended()
        it.b.events.clear()
        connection(far).close()
        gone = await it.b.event(PhoneUnregistered)
        assert gone == PhoneUnregistered("bob", f"sip:bob@{FAR};transport=tcp")
        assert bound(it.b) == 0
        refused = await (await it.alice.call("sip:bob@mesh")).final()
        assert refused.status == 480
        assert "switched on" in refused.reason


async def test_a_new_connection_takes_the_place_of_the_old_one_and_outlives_it() -> None:
    async with (
        nodes("bob") as (b,),
        SipPhone("bob", b.phones, transport="tcp") as before,
        SipPhone("bob", b.phones, transport="tcp") as after,
    ):
        await register(before)
        await register(after)
        assert bound(b) == 1
        connection(before).close()
        await until(lambda: len(b.gateway._watched) == 1)
        assert bound(b) == 1
        assert [event for event in b.events if isinstance(event, PhoneUnregistered)] == []


async def test_two_flows_of_one_phone_ring_once_and_the_second_stands_in_for_the_first() -> None:
    async with (
        pair() as it,
        SipPhone("bob", it.b.phones, transport="tcp") as one,
        SipPhone("bob", it.b.phones, transport="tcp") as other,
    ):
        await it.bob.register(expires=0)
        await register(one, reg_id="1", expires=600)
        await register(other, reg_id="2", expires=900)
        assert bound(it.b) == 2
        call = await it.alice.call("sip:bob@mesh")
        rung = await other.rung()
        await call.response(180)
        assert one.incoming.empty()
        await call.cancel()
        await rung.cancelled()
        await rung.say(487)
        await call.final()
        await it.b.idle()
        connection(other).close()
        await it.b.event(PhoneUnregistered)
        call = await it.alice.call("sip:bob@mesh")
        rung = await one.rung()
        await call.cancel()
        await rung.cancelled()
        await rung.say(487)
        await call.final()


@pytest.mark.parametrize(
    ("transport", "headers"),
    [
        ("udp", {}),
        ("tcp", {"Supported": "path"}),
        ("tcp", {"Contact": f"<sip:bob@{FAR};transport=tcp>;reg-id=1"}),
    ],
)
async def test_other_phones_are_registered_as_ever(transport: TransportName, headers: dict[str, Any]) -> None:
    async with nodes("bob") as (b,), SipPhone("bob", b.phones, transport=transport) as phone:
        answer = await register(phone, **headers)
        assert answer.status == 200
        assert "Require" not in answer.headers
        assert "Flow-Timer" not in answer.headers
        if transport == "tcp":
            connection(phone).close()
            await until(lambda: not b.gateway._watched)
        assert bound(b) == 1


@pytest.mark.parametrize(
    ("transport", "headers", "status"),
    [
        ("tcp", {"Require": "outbound"}, 200),
        ("udp", {"Require": "outbound"}, 420),
    ],
)
async def test_what_is_required_is_done_or_refused(
    transport: TransportName, headers: dict[str, Any], status: int
) -> None:
    async with nodes("bob") as (b,), SipPhone("bob", b.phones, transport=transport) as phone:
        answer = await register(phone, **headers)
        assert answer.status == status
        assert bound(b) == (status == 200)


@dataclass
class Believing:
    """An authenticator that asks for no proof."""

    user: LocalUser

    def user_of(self, request: Request, status: int, flow: Flow) -> LocalUser:  # noqa: ARG002
        return self.user


async def test_what_a_proxy_has_passed_on_is_tied_to_no_flow() -> None:
    async with nodes("bob") as (b,), SipPhone("bob", b.phones, transport="tcp") as phone:
        await register(phone)
        (flow,) = b.gateway._watched
        request = phone.request("REGISTER", "sip:mesh", "<sip:bob@mesh>")
        request.headers.set("Contact", f"<sip:bob@{FAR}>;reg-id=3;+sip.instance={PHONE}")
        request.headers.add("Supported", "outbound")
        for branch in ("z9hG4bKproxy", "z9hG4bKphone"):
            request.headers.add("Via", f"SIP/2.0/TCP 192.0.2.9;branch={branch}")
        believing = cast("Authenticator", Believing(b.accounts.users[0]))
        with pytest.raises(SipError) as refused:
            replace(b.gateway._registrar, authenticator=believing).answer(request, flow)
        assert refused.value.status == 439
        assert bound(b) == 1


async def test_one_connection_is_not_two_flows() -> None:
    async with nodes("bob") as (b,), SipPhone("bob", b.phones, transport="tcp") as phone:
        one = f"<sip:bob@{FAR};transport=tcp>;+sip.instance={PHONE};reg-id"
        assert (await register(phone, Contact=f"{one}=1, {one}=2")).status == 400
        assert (await register(phone, reg_id="0")).status == 400
        assert bound(b) == 0


async def test_a_phone_that_leaves_says_so_once() -> None:
    async with nodes("bob") as (b,), SipPhone("bob", b.phones, transport="tcp") as phone:
        await register(phone)
        await register(phone, expires=0)
        connection(phone).close()
        await until(lambda: not b.gateway._watched)
    assert [type(event) for event in b.events] == [PhoneRegistered, PhoneUnregistered]


async def test_a_connection_on_which_nothing_comes_is_given_up_and_pings_keep_it() -> None:
    async with nodes("bob") as (b,), SipPhone("bob", b.phones, transport="tcp") as phone:
        await register(phone)
        (flow,) = b.gateway._watched
        assert isinstance(flow, StreamFlow)
        heard = flow._last_data
        connection(phone).send(b"\r\n\r\n")
        await until(lambda: flow._last_data > heard)
        flow.expect_pings(0.2)
        await b.event(PhoneUnregistered)
        assert flow.is_closed
