"""What a REGISTER says of the flow that it comes by (RFC 5626)."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipgate.protocol.address import Address
from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Request
from sipgate.protocol.outbound import MAX_REG_ID, PhoneFlow, check_first_hop, wants_outbound


def contact(parameters: str) -> Address:
    return Address.parse(f"<sip:alice@192.0.2.1;transport=tcp>{parameters}")


def test_a_flow_has_an_instance_and_a_number() -> None:
    named = PhoneFlow.of(contact(';reg-id=2;+sip.instance="<urn:uuid:1>"'))
    assert named == PhoneFlow("<urn:uuid:1>", 2)


@pytest.mark.parametrize("parameters", ["", ";reg-id=1", ';+sip.instance="<urn:uuid:1>"'])
def test_without_both_there_is_none(parameters: str) -> None:
    assert PhoneFlow.of(contact(parameters)) is None


@pytest.mark.parametrize("reg_id", ["0", "-1", "x", "1.5", "2147483648", "99999999999", "\u0661"])
def test_a_number_that_is_none_is_refused(reg_id: str) -> None:
    with pytest.raises(SipError) as refused:
        PhoneFlow.of(contact(f';+sip.instance="<urn:uuid:1>";reg-id={reg_id}'))
    assert refused.value.status == 400


@given(st.text(max_size=30))
def test_whatever_stands_there_is_read_or_refused(text: str) -> None:
    with suppress(SipError):
        named = PhoneFlow.of(contact(f';+sip.instance="<urn:uuid:1>";reg-id={text}'))
        assert named is None or 0 < named.reg_id <= MAX_REG_ID


@pytest.mark.parametrize(("name", "value"), [("Supported", "path, Outbound"), ("Require", "outbound")])
def test_a_phone_says_that_it_keeps_its_flow_alive(name: str, value: str) -> None:
    request = Request("REGISTER", "sip:mesh")
    assert not wants_outbound(request)
    request.headers.add(name, value)
    assert wants_outbound(request)


def test_a_register_that_somebody_else_passed_on_has_no_flow() -> None:
    request = Request("REGISTER", "sip:mesh")
    request.headers.add("Via", "SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKa")
    check_first_hop(request)
    request.headers.add("Via", "SIP/2.0/TCP 192.0.2.2;branch=z9hG4bKb")
    with pytest.raises(SipError) as refused:
        check_first_hop(request)
    assert refused.value.status == 439
