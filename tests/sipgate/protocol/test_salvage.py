import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipgate.protocol.message import reply
from sipgate.protocol.salvage import salvage
from tests.sipgate.samples import request


def test_a_request_with_a_broken_header_keeps_what_a_response_copies() -> None:
    data = bytes(request("INVITE")).replace(b"Max-Forwards: 70", b"M\xffax\x00: 70\r\nno header\r\n :folded")
    found = salvage(data)
    assert found is not None
    response = reply(found, 400, tag="b")
    assert (response.call_id, response.cseq.method, response.to.tag) == ("call-1", "INVITE", "b")


def test_another_version_can_be_answered() -> None:
    assert salvage(bytes(request("OPTIONS")).replace(b"SIP/2.0\r\nVia", b"SIP/7.0\r\nVia")) is not None


@pytest.mark.parametrize("missing", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_without_one_of_the_five_there_is_no_answer(missing: str) -> None:
    message = request("INVITE")
    message.headers.remove(missing)
    assert salvage(bytes(message)) is None
    doubled = request("INVITE")
    if missing != "Via":
        doubled.headers.add(missing, doubled.headers.get(missing) or "")
        assert salvage(bytes(doubled)) is None


def test_ack_responses_and_noise_are_never_answered() -> None:
    assert salvage(bytes(request("ACK"))) is None
    assert salvage(bytes(reply(request("INVITE"), 200))) is None
    assert salvage(b"") is None
    assert salvage(b"GET / HTTP/1.1\r\n\r\n") is None


@given(st.binary(max_size=400), st.integers(0, 300))
def test_noise_in_a_request_never_raises(noise: bytes, at: int) -> None:
    data = bytes(request("INVITE"))
    found = salvage(data[:at] + noise + data[at:])
    if found is not None:
        assert bytes(reply(found, 400, tag="b"))
