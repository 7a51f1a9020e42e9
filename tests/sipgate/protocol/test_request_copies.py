from sipgate.protocol.message import reply
from sipgate.protocol.request_copies import ack_of_failure, cancel_of
from tests.sipgate.samples import request


def test_a_cancel_repeats_what_identifies_the_invite_and_nothing_else() -> None:
    invite = request("INVITE", number=5)
    invite.headers.add("Route", "<sip:one.example;lr>")
    invite.headers.add("Route", "<sip:two.example;lr>")
    invite.set_body("application/sdp", b"v=0\r\n")
    cancel = cancel_of(invite, [("Reason", "SIP;cause=200"), ("Identity", "x")])
    assert (cancel.method, cancel.uri, str(cancel.cseq)) == ("CANCEL", invite.uri, "5 CANCEL")
    assert [str(via) for via in cancel.vias] == [str(invite.top_via)]
    assert [str(route.uri) for route in cancel.routes] == ["sip:one.example;lr", "sip:two.example;lr"]
    for name in ("From", "To", "Call-ID"):
        assert cancel.headers.get(name) == invite.headers.get(name)
    assert (cancel.headers.get("Reason"), cancel.headers.get("Identity")) == ("SIP;cause=200", "x")
    assert (cancel.body, cancel.headers.get("Content-Length")) == (b"", "0")
    assert "Contact" not in cancel.headers


def test_the_ack_of_a_failure_has_the_to_of_the_response() -> None:
    invite = request("INVITE", number=5)
    ack = ack_of_failure(invite, reply(invite, 404, tag="b"))
    assert (ack.method, str(ack.cseq), ack.to.tag) == ("ACK", "5 ACK", "b")
    assert str(ack.top_via) == str(invite.top_via)
