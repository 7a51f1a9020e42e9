import pytest

from sipgate.protocol.dialog import Dialog
from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Request, Response, reply
from tests.sipgate.samples import request

ROUTES = ("<sip:one.example;lr>", "<sip:two.example;lr>")


def answer(
    invite: Request, status: int = 200, *, contact: str | None = "<sip:bob@192.0.2.2:5070>"
) -> Response:
    response = reply(invite, status, tag="b")
    if contact is not None:
        response.headers.add("Contact", contact)
    return response


def invited(*routes: str) -> Request:
    invite = request("INVITE", number=7)
    for route in routes:
        invite.headers.add("Record-Route", route)
    return invite


def test_the_caller_learns_tag_target_and_reversed_routes_from_the_response() -> None:
    invite = invited()
    response = answer(invite)
    for route in ROUTES:
        response.headers.add("Record-Route", route)
    dialog = Dialog.as_uac(invite, response)
    assert dialog.id == ("call-1", "alice-1", "b")
    assert dialog.remote_target == "sip:bob@192.0.2.2:5070"
    assert dialog.route_set == list(reversed(ROUTES))
    bye = dialog.make_request("BYE")
    assert bye.uri == "sip:bob@192.0.2.2:5070"
    assert [str(route) for route in bye.routes] == list(reversed(ROUTES))
    assert (bye.cseq.number, bye.from_.tag, bye.to.tag, bye.max_forwards) == (8, "alice-1", "b", 70)


def test_the_callee_learns_them_from_the_invite_and_begins_its_own_count() -> None:
    dialog = Dialog.as_uas(invited(*ROUTES), "b")
    assert dialog.id == ("call-1", "b", "alice-1")
    assert dialog.route_set == list(ROUTES)
    assert (dialog.remote_seq, dialog.local_seq) == (7, None)
    bye = dialog.make_request("BYE")
    assert bye.uri == "sip:alice@192.0.2.1:5060"
    assert (bye.cseq.number, bye.from_.tag, bye.to.tag) == (1, "b", "alice-1")
    assert dialog.make_request("INFO").cseq.number == 2


def test_a_strict_router_gets_the_request_uri() -> None:
    dialog = Dialog.as_uas(invited("<sip:strict.example>", ROUTES[1]), "b")
    bye = dialog.make_request("BYE")
    assert bye.uri == "sip:strict.example"
    assert [str(route) for route in bye.routes] == [ROUTES[1], "<sip:alice@192.0.2.1:5060>"]


def test_the_ack_has_number_and_credentials_of_its_invite() -> None:
    invite = invited()
    invite.headers.add("Proxy-Authorization", 'Digest username="alice"')
    dialog = Dialog.as_uac(invite, answer(invite))
    dialog.make_request("INFO")
    ack = dialog.make_ack(invite)
    assert str(ack.cseq) == "7 ACK"
    assert ack.headers.get("Proxy-Authorization") == 'Digest username="alice"'
    assert dialog.local_seq == 8


def test_an_early_dialog_takes_target_and_routes_of_the_2xx() -> None:
    invite = invited()
    early = answer(invite, 183, contact="<sip:early@192.0.2.3>")
    early.headers.add("Record-Route", ROUTES[0])
    dialog = Dialog.as_uac(invite, early)
    assert dialog.is_early
    dialog.confirm(answer(invite))
    assert not dialog.is_early
    assert dialog.route_set == []
    assert dialog.remote_target == "sip:bob@192.0.2.2:5070"


def in_dialog(method: str, number: int, contact: str | None = None) -> Request:
    message = request(method, number=number, to_tag="b")
    if contact is not None:
        message.headers.set("Contact", contact)
    return message


def test_requests_are_taken_in_order_only() -> None:
    dialog = Dialog.as_uas(invited(), "b")
    assert dialog.belongs(in_dialog("INFO", 9))
    assert dialog.accepts(in_dialog("INFO", 9))
    assert not dialog.accepts(in_dialog("INFO", 9))
    assert not dialog.accepts(in_dialog("BYE", 8))
    assert dialog.accepts(in_dialog("ACK", 7))
    assert dialog.accepts(in_dialog("BYE", 100))
    assert not dialog.belongs(request("BYE", to_tag="c"))


def test_a_re_invite_moves_the_target_and_an_info_does_not() -> None:
    dialog = Dialog.as_uas(invited(), "b")
    dialog.accepts(in_dialog("INFO", 8, "<sip:info@192.0.2.8>"))
    assert dialog.remote_target == "sip:alice@192.0.2.1:5060"
    dialog.accepts(in_dialog("INVITE", 9, "<sip:moved@192.0.2.9>"))
    assert dialog.remote_target == "sip:moved@192.0.2.9"
    assert not dialog.accepts(in_dialog("INVITE", 9, "<sip:stale@192.0.2.10>"))
    assert dialog.remote_target == "sip:moved@192.0.2.9"


def test_a_response_without_contact_or_tag_still_makes_a_dialog() -> None:
    invite = invited()
    response = reply(invite, 200)
    dialog = Dialog.as_uac(invite, response)
    assert (dialog.remote_target, dialog.remote_tag) == (invite.uri, "")


@pytest.mark.parametrize("contact", [None, "*", "<sip:a@b>, <sip:c@d>", "<mailto:alice@example.org>"])
def test_an_invite_needs_one_sip_contact(contact: str | None) -> None:
    invite = invited()
    invite.headers.remove("Contact")
    if contact is not None:
        invite.headers.add("Contact", contact)
    with pytest.raises(SipError, match="400"):
        Dialog.as_uas(invite, "b")


@pytest.mark.parametrize("routes", [("<sip:one.example",), ("<tel:1>",), ROUTES * 10])
def test_routes_that_cannot_be_used_are_refused(routes: tuple[str, ...]) -> None:
    with pytest.raises(SipError, match="400"):
        Dialog.as_uas(invited(*routes), "b")
