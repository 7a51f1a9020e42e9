"""More messages than can be read: new requests are turned away, what has begun goes on, and then all is as before."""

import contextlib
import sys

import pytest

from sipgate.endpoint import Endpoint
from sipgate.protocol.message import Request, Response, reply
from sipgate.server_transaction import ServerTransaction
from tests.sipgate.parties import LOCAL, RawPhone
from tests.sipgate.samples import request

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much waits to be read")
BURST = 400
PADDING = "x" * 600
QUIET = 0.2


async def serve(transaction: ServerTransaction) -> None:
    await transaction.respond(reply(transaction.request, 200, tag="b"))


def numbered(method: str, number: int, to_tag: str | None = None) -> Request:
    message = request(method, branch=f"z9hG4bK-{method}-{number}", call_id=f"call-{number}", to_tag=to_tag)
    message.headers.add("User-Agent", PADDING)
    return message


async def heard(phone: RawPhone) -> list[Response]:
    """Return all answers that come, until none comes any more."""
    found: list[Response] = []
    with contextlib.suppress(TimeoutError):
        while True:
            message = await phone.receive(QUIET)
            assert isinstance(message, Response)
            found.append(message)
    return found


async def test_in_a_burst_new_requests_are_turned_away_with_a_time_and_then_served_again() -> None:
    async with Endpoint(on_request=serve) as endpoint:
        with RawPhone(await endpoint.listen_udp(LOCAL, 0)) as phone:
            phone.send(numbered("BYE", 0, to_tag="b"))
            for number in range(1, BURST):
                phone.send(numbered("OPTIONS", number))
            answers = await heard(phone)
            statuses = [answer.status for answer in answers]
            refused = [answer for answer in answers if answer.status == 503]
            assert (statuses[0], statuses[-1]) == (
                200,
                200,
            )  # inside a dialog; when most of the burst is read
            assert len(refused) > 20
            assert {answer.headers.get("Retry-After") for answer in refused} == {"5"}
            assert endpoint.transaction_counters.overloaded == len(refused)
            phone.send(numbered("OPTIONS", BURST))
            assert [answer.status for answer in await heard(phone)] == [200]
