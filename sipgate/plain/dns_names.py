"""Answers the `DomainNames` port with the system's DNS servers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import dns.asyncresolver
import dns.exception
import dns.rdata
import dns.resolver
from dns.rdtypes.IN.NAPTR import NAPTR
from dns.rdtypes.IN.SRV import SRV

from sipgate.ports import Refusal
from sipgate.protocol.server_location import MAX_RECORDS, Naptr, Question, Record, Srv

SECONDS = 4.0  # for one question, repeated and to other servers as often as there is time
_NOTHING = (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.resolver.YXDOMAIN)
_NO_NAME = (dns.exception.SyntaxError, dns.exception.FormError)


class DnsNames:
    """Asks anew each time, as the network, and with it the servers, may be another one. `resolver` makes one."""

    def __init__(
        self, resolver: Callable[[], dns.asyncresolver.Resolver] = dns.asyncresolver.Resolver
    ) -> None:
        self._resolver = resolver

    async def ask(self, question: Question) -> Sequence[Record]:
        """Return the records, at most `MAX_RECORDS` of a kind.

        Raises:
            Refusal: 503 no server answers, or none is known.
        """
        kinds = ("AAAA", "A") if question.kind == "ADDRESS" else (question.kind,)
        records: list[Record] = []
        for kind in kinds:
            records += [_record(data) for data in (await self._answers(question.name, kind))[:MAX_RECORDS]]
        return records[::-1] if question.kind == "ADDRESS" else records  # IPv4 first: it works in more places

    async def _answers(self, name: str, kind: str) -> list[dns.rdata.Rdata]:
        try:
            answer = await self._resolver().resolve(
                name.rstrip(".") + ".", kind, lifetime=SECONDS, raise_on_no_answer=False
            )
        except _NOTHING:
            return []
        except _NO_NAME:
            return []
        except dns.exception.DNSException as error:
            if isinstance(error, dns.resolver.NoNameservers) and kind != "A":
                return []  # servers that fail for what they do not know: the last question is for A records
            raise Refusal(503, "The DNS gives no answer about where that domain is") from None
        return list(answer)


def _record(data: dns.rdata.Rdata) -> Record:
    match data:
        case NAPTR():
            texts = (data.flags, data.service, data.regexp)
            flags, service, regexp = (text.decode("ascii", "replace") for text in texts)
            return Naptr(data.order, data.preference, flags, service, regexp, str(data.replacement))
        case SRV():
            return Srv(data.priority, data.weight, data.port, str(data.target))
        case _:
            return str(data)
