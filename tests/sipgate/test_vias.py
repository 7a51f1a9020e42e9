import asyncio
import itertools

import pytest

from sipgate.endpoint import Endpoint
from sipgate.protocol.message import Request
from sipgate.transport import Hop
from sipgate.vias import Vias
from tests.sipgate.parties import LOCAL, Answering, silent
from tests.sipgate.samples import request


def long_request(call_id: str = "long") -> Request:
    message = request("INVITE", branch=None, call_id=call_id)
    message.set_body("application/sdp", b"x" * 1300)
    return message


def test_only_long_requests_to_other_machines_should_go_by_tcp() -> None:
    vias = Vias(lambda: "1")
    far = Hop("udp", "192.0.2.7", 5060)
    assert vias.is_too_long_for_udp(long_request(), far)
    assert not vias.is_too_long_for_udp(request("INVITE", branch=None), far)
    assert not vias.is_too_long_for_udp(long_request(), Hop("udp", "127.0.0.3", 5060))
    assert not vias.is_too_long_for_udp(long_request(), Hop("udp", "::1", 5060))
    assert not vias.is_too_long_for_udp(long_request(), Hop("tcp", "192.0.2.7", 5060))


def test_phones_without_tcp_are_remembered_but_not_all_of_them() -> None:
    vias = Vias(lambda: "1")
    for port in range(1000, 1300):
        vias.takes_no_tcp("192.0.2.7", port)
    assert not vias.is_too_long_for_udp(long_request(), Hop("udp", "192.0.2.7", 1299))
    assert vias.is_too_long_for_udp(long_request(), Hop("udp", "192.0.2.7", 1000))


@pytest.mark.parametrize("takes_tcp", [True, False])
async def test_a_long_request_goes_by_tcp_where_that_is_possible(
    takes_tcp: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Vias, "_is_here", lambda *_: False)
    serving = Answering(status=486)
    async with Endpoint(on_request=serving) as b, Endpoint(on_request=silent) as a:
        await a.listen_udp(LOCAL, 0)
        port = await b.listen_udp(LOCAL, 0)
        if takes_tcp:
            await b.listen_tcp(LOCAL, port)
        for call_id in ("one", "two"):
            transaction = a.request(long_request(call_id), Hop("udp", LOCAL, port))
            async with asyncio.timeout(3):
                assert (await transaction.final()).status == 486
            assert transaction.flow is not None
            assert transaction.flow.transport == ("tcp" if takes_tcp else "udp")
    assert {served.request.top_via.transport for served in serving.seen} == {"TCP" if takes_tcp else "UDP"}


async def test_each_request_has_a_branch_of_its_own_and_the_one_given_stays_as_it_is() -> None:
    counter = itertools.count()
    serving = Answering()
    async with (
        Endpoint(on_request=serving) as b,
        Endpoint(on_request=silent, token=lambda: f"t{next(counter)}") as a,
    ):
        hop = Hop("tcp", LOCAL, await b.listen_tcp(LOCAL, 0))
        listening = await a.listen_tcp(LOCAL, 0)
        message = request("OPTIONS", branch=None)
        for _ in range(2):
            await a.request(message, hop).final()
            message.headers.set("Call-ID", "other")
        assert "Via" not in message.headers
    assert [served.request.top_via.branch for served in serving.seen] == ["z9hG4bKt0", "z9hG4bKt1"]
    assert {served.request.top_via.port for served in serving.seen} == {listening}
