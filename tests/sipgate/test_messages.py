"""Text from phone to phone through two gateways (RFC 3428)."""

from __future__ import annotations

import asyncio

import pytest

from sipgate.limits import Limits
from sipgate.messages import to_phones
from sipgate.messages.content import MAX_TEXT, seal_in
from sipgate.messages.to_node import _request
from sipgate.ports import Refusal
from sipgate.protocol.message import Request, Response
from sipgate.transport import Hop
from tests.kit.sip_phone import SipPhone
from tests.sipgate.gateways import EchoService, Pair, nodes, pair, user

TEXT = "Grüße 🎉\r\nzwei\n\tdrei ".encode()


async def test_a_text_arrives_byte_for_byte_with_who_wrote_it() -> None:
    async with pair() as it:
        response = await it.alice.write("sip:bob@mesh", TEXT)
        assert response.status == 200
        message = await it.bob.message()
        assert message.body == TEXT
        assert message.headers.get("Content-Type") == "text/plain;charset=UTF-8"
        assert (message.headers.get("From") or "").startswith('"Alice · same key" <sip:alice@mesh>')
        assert message.headers.get("Contact") is None
        assert message.headers.get("Date") is None
        (brought,) = it.b.mail.brought
        assert brought[1] == b"key of alice"


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "text/html;charset=iso-8859-1",
        "message/imdn+xml",
        "application/im-iscomposing+xml",
        "Message/CPIM",
    ],
)
async def test_every_kind_of_text_passes_untouched(kind: str) -> None:
    async with pair() as it:
        for body in (b"\x00\xff\xfe", b"x" * MAX_TEXT):
            assert (await it.alice.write("sip:bob@mesh", body, kind)).status == 200
            message = await it.bob.message()
            assert (message.headers.get("Content-Type"), message.body) == (kind, body)


async def test_phones_over_tcp_write_and_read_long_texts() -> None:
    async with (
        nodes("alice", "bob") as (a, b),
        SipPhone("alice", a.phones, transport="tcp") as alice,
        SipPhone("bob", b.phones, transport="tcp") as bob,
    ):
        await alice.register()
        await bob.register()
        assert (await alice.write("sip:bob@mesh", b"x" * MAX_TEXT)).status == 200
        assert (await bob.message()).body == b"x" * MAX_TEXT


async def test_what_is_no_text_is_refused_with_a_sentence() -> None:
    async with pair() as it:
        for status, body, kind in (
            (415, b"x", "image/png"),
            (415, b"x", "application/sdp"),
            (413, b"x" * (MAX_TEXT + 1), "text/plain"),
            (400, b"", "text/plain"),
            (400, b"x", "text"),
        ):
            response = await it.alice.write("sip:bob@mesh", body, kind)
            assert response.status == status, kind
            if status == 415:
                assert "text/plain" in (response.headers.get("Accept") or "")
        assert (await it.alice.write("sip:bob@mesh", b"x", Content_Encoding="gzip")).status == 415
        assert it.b.mail.brought == []


async def test_only_our_own_phones_may_write() -> None:
    async with pair() as it:
        it.alice.secret = "wrong"
        assert (await it.alice.write("sip:bob@mesh", TEXT)).status == 403
        assert it.b.mail.brought == []


async def test_nobody_of_that_name_is_told() -> None:
    async with pair() as it:
        assert (await it.alice.write("sip:carol@mesh", TEXT)).status == 404
        assert (await it.alice.write("sip:carol@example.org", TEXT)).status == 404
        response = await it.alice.write("sip:bob@mesh", TEXT, Max_Forwards="0")
        assert response.status == 483


async def test_without_a_phone_it_is_kept_and_said_so() -> None:
    async with nodes("alice", "bob") as (a, b), SipPhone("alice", a.phones) as alice:
        await alice.register()
        response = await alice.write("sip:bob@mesh", TEXT)
        assert (response.status, response.reason) == (202, "Kept for later")
        assert [text.body for text in b.mail.kept] == [TEXT]


async def test_who_is_not_admitted_cannot_write() -> None:
    async with pair() as it:
        it.book.turned_away["sip:alice@mesh"] = Refusal(403, "Strangers may not write")
        response = await it.alice.write("sip:bob@mesh", TEXT)
        assert (response.status, response.reason) == (403, "Strangers may not write")
        assert it.b.mail.brought == []
        assert it.bob.messages.empty()


async def test_all_phones_get_it_and_one_that_takes_it_is_enough() -> None:
    async with pair() as it, SipPhone("bob", it.b.phones) as second, SipPhone("bob", it.b.phones) as third:
        await second.register()
        await third.register()
        it.bob.takes_messages, second.takes_messages = None, 415
        response = await it.alice.write("sip:bob@mesh", TEXT)
        assert response.status == 200
        for phone in (it.bob, second, third):
            assert (await phone.message()).body == TEXT


async def test_when_every_phone_refuses_the_sender_hears_why() -> None:
    async with pair() as it, SipPhone("bob", it.b.phones) as second:
        await second.register()
        it.bob.takes_messages, second.takes_messages = 480, 415
        assert (await it.alice.write("sip:bob@mesh", TEXT)).status == 415
        it.bob.takes_messages = second.takes_messages = 480
        assert (await it.alice.write("sip:bob@mesh", TEXT)).status == 202


async def test_a_phone_that_is_silent_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(to_phones, "PATIENCE", 0.2)
    async with pair() as it:
        it.bob.takes_messages = None
        assert (await it.alice.write("sip:bob@mesh", TEXT)).status == 202


async def test_to_oneself_is_to_one_s_other_phones() -> None:
    async with pair() as it, SipPhone("alice", it.a.phones) as second:
        assert (await it.alice.write("sip:alice@mesh", TEXT)).status == 480
        await second.register()
        assert (await it.alice.write("sip:alice@mesh", TEXT)).status == 200
        assert (await second.message()).body == TEXT
        assert it.alice.messages.empty()


async def test_a_service_says_back_what_it_is_told() -> None:
    async with pair() as it:
        it.a.services["sip:echo@mesh"] = EchoService
        assert (await it.alice.write("sip:echo@mesh", TEXT)).status == 200
        message = await it.alice.message()
        assert message.body == TEXT
        assert (message.headers.get("From") or "").startswith('"echo" <sip:echo@mesh>')


async def sent(it: Pair, request: Request) -> Response:
    hop = Hop("tls", "127.0.0.1", it.b.mesh, it.b.public_key)
    async with asyncio.timeout(5):
        return await it.a.gateway._endpoint.request(request, hop).final()


def between_nodes(it: Pair, body: bytes = b"text/plain\nhello") -> Request:
    return _request(it.a.gateway._node, user("alice"), "sip:bob@mesh", body)


async def test_a_node_that_does_not_sign_or_signs_something_else_is_refused() -> None:
    async with pair() as it:
        request = between_nodes(it)
        assert (await sent(it, request)).status == 428
        it.a.gateway._node.identity.sign(request)
        request.set_body(*seal_in(b"text/plain\nother", user("alice")))
        assert (await sent(it, request)).status == 438
        assert it.b.mail.brought == []


async def test_a_replayed_message_is_refused() -> None:
    async with pair() as it:
        request = between_nodes(it)
        it.a.gateway._node.identity.sign(request)
        assert (await sent(it, request)).status == 200
        assert (await it.bob.message()).body == b"hello"
        assert (await sent(it, request)).status == 403
        assert it.bob.messages.empty()


async def test_letters_that_are_none_are_refused() -> None:
    async with pair() as it:
        identity = it.a.gateway._node.identity
        for status, content_type, body in (
            (415, "text/plain", b"not sealed"),
            (415, "multipart/mixed;boundary=x", b"--x\r\n\r\nhello\r\n--x--\r\n"),
            (400, "multipart/mixed;boundary=x", b"--x\r\n"),
            (
                400,
                "multipart/mixed;boundary=x",
                2 * b"--x\r\nContent-Type: application/vnd.freecall.letter\r\n\r\nhello\r\n" + b"--x--\r\n",
            ),
        ):
            request = between_nodes(it)
            request.set_body(content_type, body)
            identity.sign(request)
            assert (await sent(it, request)).status == status
        request = between_nodes(it)
        request.headers.set("To", "<sip:carol@mesh>")
        identity.sign(request)
        assert (await sent(it, request)).status == 400
        request = _request(it.a.gateway._node, user("alice"), "sip:carol@mesh", b"text/plain\nx")
        identity.sign(request)
        assert (await sent(it, request)).status == 404
        assert it.b.mail.brought == []


async def test_one_node_has_only_so_many_messages_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    async with pair(limits=Limits(messages_per_peer=2)) as it:
        it.bob.takes_messages = None
        monkeypatch.setattr(to_phones, "PATIENCE", 1.0)
        async with asyncio.TaskGroup() as group:
            under_way = [group.create_task(sent(it, signed(it))) for _ in range(2)]
            for _ in under_way:
                await it.bob.message()
            response = await sent(it, signed(it))
            assert response.status == 503
            assert response.headers.get("Retry-After")
        assert [task.result().status for task in under_way] == [202, 202]
        it.bob.takes_messages = 200
        assert (await sent(it, signed(it))).status == 200


def signed(it: Pair) -> Request:
    request = between_nodes(it)
    it.a.gateway._node.identity.sign(request)
    return request
