"""Questions to a real DNS server, through dnspython."""

from __future__ import annotations

import dns.asyncresolver
import dns.rcode
import dns.resolver
import pytest

from sipgate.plain import dns_names
from sipgate.plain.dns_names import DnsNames
from sipgate.ports import Refusal
from sipgate.protocol.server_location import MAX_RECORDS, Naptr, Question, Srv
from tests.kit.dns_server import DnsServer

ZONE = {
    ("example.org", "NAPTR"): ['50 20 "S" "SIP+D2T" "" _sip._tcp.example.org.'],
    ("_sip._tcp.example.org", "SRV"): ["10 20 5070 pbx.example.org."],
    ("pbx.example.org", "A"): ["192.0.2.7"],
    ("pbx.example.org", "AAAA"): ["2001:db8::7"],
    ("www.example.org", "CNAME"): ["pbx.example.org."],
    ("a.example.org", "CNAME"): ["b.example.org."],
    ("b.example.org", "CNAME"): ["a.example.org."],
    ("many.example.org", "A"): [f"192.0.2.{n}" for n in range(60)],
}


async def test_records_of_each_kind_are_read() -> None:
    async with DnsServer(ZONE) as server:
        names = DnsNames(server.resolver)
        assert await names.ask(Question("NAPTR", "example.org")) == [
            Naptr(50, 20, "S", "SIP+D2T", "", "_sip._tcp.example.org.")
        ]
        found = await names.ask(Question("SRV", "_sip._tcp.example.org."))
        assert found == [Srv(10, 20, 5070, "pbx.example.org.")]
        addresses = ["192.0.2.7", "2001:db8::7"]
        assert await names.ask(Question("ADDRESS", "pbx.example.org")) == addresses
        assert await names.ask(Question("ADDRESS", "www.example.org")) == addresses


@pytest.mark.parametrize("name", ["nobody.example", "example.org", "x" * 64 + ".org", "a..b", "x." * 130])
async def test_what_is_not_there_is_nothing(name: str) -> None:
    async with DnsServer(ZONE) as server:
        assert await DnsNames(server.resolver).ask(Question("ADDRESS", name)) == []


async def test_no_more_is_taken_than_there_is_use_for() -> None:
    async with DnsServer(ZONE) as server:
        found = await DnsNames(server.resolver).ask(Question("ADDRESS", "many.example.org"))
        assert len(found) == MAX_RECORDS


async def test_a_dns_that_says_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_names, "SECONDS", 0.2)
    async with DnsServer(ZONE) as server:
        server.is_silent = True
        with pytest.raises(Refusal) as refused:
            await DnsNames(server.resolver).ask(Question("SRV", "_sip._udp.example.org"))
        assert refused.value.status == 503


async def test_a_machine_without_dns_is_told() -> None:
    def none() -> dns.asyncresolver.Resolver:
        raise dns.resolver.NoResolverConfiguration

    with pytest.raises(Refusal) as refused:
        await DnsNames(none).ask(Question("NAPTR", "example.org"))
    assert refused.value.status == 503


async def test_aliases_that_lead_in_a_circle_lead_nowhere() -> None:
    async with DnsServer(ZONE) as server:
        with pytest.raises(Refusal) as refused:
            await DnsNames(server.resolver).ask(Question("ADDRESS", "a.example.org"))
        assert refused.value.status == 503


async def test_a_dns_that_fails_for_services_may_still_know_the_address() -> None:
    async with DnsServer(ZONE) as server:
        server.rcode = dns.rcode.SERVFAIL
        assert await DnsNames(server.resolver).ask(Question("NAPTR", "example.org")) == []
        with pytest.raises(Refusal):
            await DnsNames(server.resolver).ask(Question("ADDRESS", "example.org"))
