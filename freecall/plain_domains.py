"""Whether phones may call plain SIP domains, as the configuration says."""

from __future__ import annotations

from sipgate.plain.domains import Domains

from .config import CallsConfig
from .supervise import guarded


def plain_domains(calls: CallsConfig) -> Domains | None:
    """Return the way there, None when it is off. dnspython is loaded only when it is on."""
    if not calls.plain_domains:
        return None
    from sipgate.plain.dns_names import DnsNames

    return Domains(DnsNames(), allows_private=calls.plain_domains_private, supervise=guarded)
