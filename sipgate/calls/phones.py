"""B legs to all phones of one of our users."""

from __future__ import annotations

from sipgate.location import Binding, each_once
from sipgate.ports import LocalUser, Peer, Refusal
from sipgate.transport import Address, TransportName
from sipgate.ways import Way

from .callee_leg import Invitation, SipCalleeLeg
from .display import name_addr
from .line import PhoneLine, address_of
from .node import Node


def phones_of(
    node: Node, user: LocalUser, calling: Address | None = None, *, beside: bool = False
) -> tuple[Binding, ...]:
    """Return the registered phones, each once, without the calling one.

    Raise `Refusal` 480 when there is none, unless the user can be reached `beside` them.
    """
    bindings = each_once(node.location.bindings(user.username, node.clock()))
    others = tuple(each for each in bindings if calling not in [address_of(way) for way in each.route.ways])
    if others or beside:
        return others
    if bindings:
        raise Refusal(480, f"No other phone of {user.display_name} is switched on")
    raise Refusal(480, f"No phone of {user.display_name} is switched on")


def legs_to(
    node: Node, phones: tuple[Binding, ...], user: LocalUser, caller: Peer, call_id: str, max_forwards: int
) -> tuple[SipCalleeLeg, ...]:
    """Return one leg for each phone; each shows the caller's name and trust state."""
    return tuple(_leg(node, phone, user, caller, call_id, max_forwards) for phone in phones)


def _leg(
    node: Node, phone: Binding, user: LocalUser, caller: Peer, call_id: str, max_forwards: int
) -> SipCalleeLeg:
    ways = phone.route.ways
    contact = node.phone_contact(caller.uri, phone.route.local_host, _transport(ways[0]))
    privacy = (("Privacy", "id"),) if caller.trust == "anonymous" else ()
    invitation = Invitation(phone.contact, name_addr(caller), f"<{user.uri}>", call_id, max_forwards, privacy)
    line = PhoneLine(
        node.sender,
        contact,
        ways,
        phone.route.local_host,
        node.limits.session_interval,
        device=phone.device,
        must_encrypt=phone.must_encrypt,
        by_dtls=phone.by_dtls,
    )
    return SipCalleeLeg(line, node.dialogs, node.token(), invitation)


def _transport(way: Way) -> TransportName:
    return way.transport
