"""A message to all phones of one of our users: one that takes it is enough."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from email.utils import formatdate

from sipgate.calls.display import name_addr
from sipgate.calls.line import PhoneLine
from sipgate.calls.node import Node
from sipgate.calls.phones import phones_of
from sipgate.calls.refusal import refusal_of
from sipgate.calls.sending import Sending
from sipgate.location import Binding
from sipgate.ports import LocalUser, Peer, Refusal, Text
from sipgate.protocol.fork import preference
from sipgate.protocol.message import Request
from sipgate.transport import Address

PATIENCE = 8.0  # seconds for a phone to say something; the sender's phone waits for 32 (RFC 3261 17.1.2)
HOPS = 70


@dataclass(frozen=True)
class Delivery:
    """A message as our phones get it: who wrote it, what, and when if that was a while ago (Unix seconds)."""

    message: str
    sender: Peer
    text: Text
    written_at: float | None = None


async def to_phones(node: Node, user: LocalUser, delivery: Delivery, but: Address | None = None) -> None:
    """Return as soon as one phone has taken the message; `but` is the address of the phone that wrote it.

    Raise `Refusal`: 480 without any phone, 408 when none says anything, else what the phones say.
    """
    phones = phones_of(node, user, but)
    outcomes: asyncio.Queue[Refusal | None] = asyncio.Queue()
    refusals: list[Refusal] = []
    try:
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_to_phone(node, phone, _request(node, user, phone, delivery), outcomes))
                for phone in phones
            ]
            while len(refusals) < len(phones):
                refusal = await outcomes.get()
                if refusal is None:
                    for task in tasks:
                        task.cancel()  # only the waiting ends: the other phones get the message too
                    return
                refusals.append(refusal)
    except TimeoutError:
        refusals.append(Refusal(408, "No phone of the one who is written to answers"))
    raise min(refusals, key=lambda refusal: preference(refusal.status))


async def _to_phone(
    node: Node, phone: Binding, request: Request, outcomes: asyncio.Queue[Refusal | None]
) -> None:
    line = PhoneLine(node.sender, "", phone.route.ways)
    sending = Sending(node.sender, request, line.ways())
    response = await sending.final()
    refusal = refusal_of(response, is_made_up=sending.is_made_up, who="phone")
    outcomes.put_nowait(None if response.status < 300 else refusal)


def _request(node: Node, user: LocalUser, phone: Binding, delivery: Delivery) -> Request:
    request = Request("MESSAGE", phone.contact)
    for name, value in (
        ("Max-Forwards", str(HOPS)),
        ("From", f"{name_addr(delivery.sender)};tag={node.token()}"),
        ("To", f"<{user.uri}>"),
        ("Call-ID", node.token()),
        ("CSeq", "1 MESSAGE"),
    ):
        request.headers.add(name, value)
    if delivery.written_at is not None:
        request.headers.add("Date", formatdate(delivery.written_at, usegmt=True))
    request.set_body(delivery.text.content_type, delivery.text.body)
    return request
