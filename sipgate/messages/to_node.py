"""A sealed letter to another node."""

from __future__ import annotations

import asyncio

from sipgate.calls.display import plain_name
from sipgate.calls.line import hops_to
from sipgate.calls.node import Node
from sipgate.calls.refusal import refusal_of
from sipgate.calls.sending import Sending
from sipgate.ports import LocalUser, Peer, Refusal, Taken
from sipgate.protocol.message import Request
from sipgate.protocol.scanner import quote

from .content import seal_in
from .to_phones import HOPS

PATIENCE = 18.0  # seconds: more than the other node waits for its phones, less than the sender's phone waits
AWAY = frozenset((408, 480, 491, 500, 503, 504))
"""What a node answers for now; anything else is for good."""


async def to_node(node: Node, user: LocalUser, peer: Peer, letter: bytes) -> Taken:
    """Bring a letter of `user` to the node of `peer`; raise `Refusal`, one of `AWAY` when it may be tried again."""
    hops = hops_to(peer.node_public_key, peer.endpoints)
    if not hops:
        raise Refusal(480, f"{plain_name(peer.display_name) or 'This person'} is known, but away now")
    request = _request(node, user, peer.uri, letter)
    node.identity.sign(request)
    sending = Sending(node.sender, request, hops)
    try:
        async with asyncio.timeout(PATIENCE):
            response = await sending.final()
    except TimeoutError:
        raise Refusal(480, "The node of the one who is written to does not answer") from None
    if response.status >= 300:
        raise refusal_of(response, is_made_up=sending.is_made_up, who="node")
    return "kept" if response.status == 202 else "delivered"


def _request(node: Node, user: LocalUser, target: str, letter: bytes) -> Request:
    name = plain_name(user.display_name)
    from_ = f"{quote(name)} <{user.uri}>" if name else f"<{user.uri}>"
    request = Request("MESSAGE", target)
    for header, value in (
        ("Max-Forwards", str(HOPS - 1)),
        ("From", f"{from_};tag={node.token()}"),
        ("To", f"<{target}>"),
        ("Call-ID", node.token()),
        ("CSeq", "1 MESSAGE"),
    ):
        request.headers.add(header, value)
    request.set_body(*seal_in(letter, user))
    return request
