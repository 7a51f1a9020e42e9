"""Registrations that are tied to the connection that they came by (RFC 5626)."""

from __future__ import annotations

from dataclasses import dataclass

from .address import Address
from .errors import SipError
from .message import Request
from .scanner import unquote

OPTION = "outbound"
FLOW_TIMER = 120
"""How often, in seconds, a phone has to be heard of on its connection (RFC 5626 4.4.1, 10)."""

MAX_REG_ID = 2**31 - 1


@dataclass(frozen=True)
class PhoneFlow:
    """One of the flows of a phone, which is told apart by its `instance`."""

    instance: str
    reg_id: int

    @classmethod
    def of(cls, contact: Address) -> PhoneFlow | None:
        """Read a Contact; None for one that names no flow. A reg-id without an instance says nothing (6).

        Raises:
            SipError: 400 for a reg-id that is no number from 1 to 2^31 - 1.
        """
        instance, given = contact.parameters.get("+sip.instance"), contact.parameters.get("reg-id")
        if not instance or given is None:
            return None
        reg_id = int(given) if given.isascii() and given.isdigit() and len(given) <= 10 else 0
        if not 0 < reg_id <= MAX_REG_ID:
            raise SipError(400, "Bad reg-id")
        return cls(unquote(instance), reg_id)


def wants_outbound(request: Request) -> bool:
    """Tell whether a REGISTER is from a phone that keeps its flow alive."""
    tags = (*request.headers.get_all("Supported"), *request.headers.get_all("Require"))
    return OPTION in (tag.lower() for tag in tags)


def check_first_hop(request: Request) -> None:
    """Make sure that the phone itself is at the other end: no flow leads past a proxy that knows nothing of it.

    Raises:
        SipError: 439 when somebody else has passed the REGISTER on (RFC 5626 6).
    """
    if len(request.headers.get_all("Via")) > 1:
        raise SipError(439, "First Hop Lacks Outbound Support")
