"""Tells the other node in the dialog how our media is reached now, and takes what it tells; no phone hears of it.

An UPDATE (RFC 3311) carries the fragment, its 2xx the other's. It is there for when a path has died, so it does not
trust the connection that stands: what does not answer at once is passed over for new connections, to every address
that is known of the node and to those that the mesh knows now. All of them are pinned to the node's key.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from sipgate.addresses import our_address_on, our_address_towards
from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Message, Request, Response, reply
from sipgate.server_transaction import ServerTransaction
from sipgate.transport import Hop
from sipgate.ways import Way

from .cause import Cause
from .content import FRAGMENT, content_of
from .joint import Joint
from .line import MeshLine, addresses_in, host_of

HEAD_START = 0.25
"""Seconds that the open connection has before others are made."""

LOOK_AGAIN = 0.5
"""Seconds until the mesh is asked again: the node may be telling it just now where it is."""

PATIENCE = 3.0
"""Seconds until all is begun anew."""

PAUSE = 0.3


class Asking(Protocol):
    """What this needs of its leg."""

    def next_request(self, method: str) -> Request | None:
        """Return the next request in the dialog, None when that has ended."""
        ...

    def introduce(self, message: Message) -> None:
        """Say where and who we are."""
        ...

    def part(self, cause: Cause) -> None:
        """End the call for this leg's sake."""
        ...


class Renewal:
    """One dialog's."""

    def __init__(self, line: MeshLine, leg: Asking) -> None:
        self._line = line
        self._leg = leg

    async def run(self, joint: Joint) -> None:
        """Tell our transport whenever it is due, to a node that knows of such things."""
        while fragment := await joint.renewal():
            response = await self._exchange(fragment)
            if response is not None and response.status == 481:
                self._leg.part(Cause(response.status, "The other side has lost the call"))
                return
            if response is not None and response.status < 300:
                theirs = _fragment_of(response)
                if not theirs:
                    return
                await joint.take_fragment(theirs)
            await asyncio.sleep(PAUSE)

    async def answer(self, transaction: ServerTransaction, joint: Joint) -> Response:
        """Take the other node's transport; raise `Refusal`."""
        request, flow = transaction.request, transaction.flow
        self._line.follow(addresses_in(request, flow))
        self._contact(our_address_on(flow))
        ours = await joint.renew(content_of(request).fragment)
        response = reply(request, 200)
        self._leg.introduce(response)
        response.set_body(FRAGMENT, ours)
        return response

    async def _exchange(self, fragment: bytes) -> Response | None:
        """Return the first answer on any way; None when none is heard in time."""
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
                asking = group.create_task(self._ask_everywhere(fragment, answer))
                await asyncio.wait((answer,))
                asking.cancel()
        except TimeoutError:
            return None
        return answer.result()

    async def _ask_everywhere(self, fragment: bytes, answer: asyncio.Future[Response]) -> None:
        line = self._line
        async with asyncio.TaskGroup() as group:
            if line.flow is not None and not line.flow.is_closed:
                group.create_task(self._ask(line.flow, fragment, answer))
                await asyncio.sleep(HEAD_START)
            for hop in line.hops:
                group.create_task(self._ask_anew(hop, fragment, answer))
            while True:
                for hop in line.follow(await line.whereabouts(line.node_public_key)):
                    group.create_task(self._ask_anew(hop, fragment, answer))
                await asyncio.sleep(LOOK_AGAIN)

    async def _ask_anew(self, hop: Hop, fragment: bytes, answer: asyncio.Future[Response]) -> None:
        self._line.sender.pass_over(hop)
        await self._ask(hop, fragment, answer)

    async def _ask(self, way: Way, fragment: bytes, answer: asyncio.Future[Response]) -> None:
        """Ask by one way, in a request of its own: the same one by two ways would be merged (RFC 3261 8.2.2.2).

        The one that comes second is refused for its order (500), which says nothing about the other.
        """
        request = self._leg.next_request("UPDATE")
        if request is None:
            return
        self._contact(our_address_towards(host_of(way)))
        self._leg.introduce(request)
        request.set_body(FRAGMENT, fragment)
        self._line.seal(request)
        transaction = self._line.sender.request(request, way)
        response = await transaction.final()
        if transaction.failure is not None or response.status == 500 or answer.done():
            return
        if transaction.flow is not None:
            self._line.learn(transaction.flow)
        answer.set_result(response)

    def _contact(self, local_host: str) -> None:
        if self._line.contact_at is not None:
            self._line.contact = self._line.contact_at(local_host)


def _fragment_of(response: Response) -> bytes:
    try:
        return content_of(response).fragment
    except SipError:
        return b""
