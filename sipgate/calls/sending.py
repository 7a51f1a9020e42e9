"""One request, tried on one way after the other until one carries it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Protocol, cast

from sipgate.client_transaction import ClientTransaction
from sipgate.protocol.message import Request, Response
from sipgate.transport import Hop
from sipgate.ways import Way


class Sender(Protocol):
    """What this layer needs of the endpoint."""

    def request(self, request: Request, to: Way) -> ClientTransaction:
        """Send a request in a new client transaction."""
        ...

    def pass_over(self, hop: Hop) -> None:
        """Use the connection to a hop, if there is one, for nothing new: the next request makes another."""
        ...

    async def send_ack(self, ack: Request, to: Way) -> None:
        """Send the ACK of a 2xx."""
        ...

    def leave(self, alone: str) -> None:
        """Close what was opened for one anonymous call alone."""
        ...


class Sending:
    """A request on its way. `way` is the one that carried it, once there is a response."""

    def __init__(self, sender: Sender, request: Request, ways: Sequence[Way]) -> None:
        self.way: Way = ways[0]
        self.is_made_up = False
        self._sender = sender
        self.request = request
        self._ways = ways
        self._transaction: ClientTransaction | None = None
        self._cancelled: tuple[str, tuple[tuple[str, str], ...]] | None = None

    async def responses(self) -> AsyncGenerator[Response, None]:
        """Yield the responses to an INVITE, up to a final failure or to the last repetition of a 2xx.

        A transport failure is yielded only when there is no other way to try.
        Once the other side has said anything, the request is there: then no other way is tried. `is_made_up`
        tells that the final response did not come from the other side, as nobody is there or says anything.
        """
        heard = False
        for way in self._ways:
            transaction = await self._try(way)
            async with aclosing(cast("AsyncGenerator[Response, None]", transaction.responses())) as responses:
                async for response in responses:
                    self.is_made_up = transaction.failure is not None
                    if self._may_go_on(transaction, response, way, heard=heard):
                        break
                    heard = heard or self._is_heard(response)
                    self.way = transaction.flow or way
                    yield response
                    if response.status >= 300:
                        return
            if heard:
                return

    async def final(self) -> Response:
        """Return the final response to a request that is not an INVITE."""
        for way in self._ways:
            transaction = await self._try(way)
            response = await transaction.final()
            self.is_made_up = transaction.failure is not None
            self.way = transaction.flow or way
            if not self._may_go_on(transaction, response, way, heard=False):
                return response
        raise AssertionError("the last way always decides")

    async def cancel(self, reason: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Take an INVITE back; see `ClientTransaction.cancel`."""
        self._cancelled = (reason, tuple(headers))
        if self._transaction is not None:
            await self._transaction.cancel(*self._cancelled)

    async def _try(self, way: Way) -> ClientTransaction:
        self._transaction = self._sender.request(copy(self.request), way)
        if self._cancelled is not None:
            await self._transaction.cancel(*self._cancelled)
        return self._transaction

    def _has_failed(self, transaction: ClientTransaction, response: Response) -> bool:  # noqa: ARG002 - see heirs
        """Tell whether another way is worth a try."""
        return transaction.failure == "transport"

    def _is_heard(self, response: Response) -> bool:  # noqa: ARG002 - see heirs
        """Tell whether a response shows that this way is the one."""
        return True

    def _may_go_on(
        self, transaction: ClientTransaction, response: Response, way: Way, *, heard: bool
    ) -> bool:
        return (
            self._has_failed(transaction, response)
            and way is not self._ways[-1]
            and not heard
            and self._cancelled is None
        )


def copy(request: Request) -> Request:
    """Return a request that another transaction can put its own Via on."""
    return Request(request.method, request.uri, request.headers.copy(), request.body)
