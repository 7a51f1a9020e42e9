"""Locating a domain's servers: every branch of RFC 3263 section 4, and the draw of RFC 2782."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipgate.protocol.errors import SipError
from sipgate.protocol.server_location import (
    MAX_SERVERS,
    Naptr,
    Question,
    Record,
    Server,
    Srv,
    in_order,
    locate,
)
from sipgate.protocol.uri import Uri

HOST = "192.0.2.1"
Zone = dict[tuple[str, str], Sequence[Record]]


def first(_n: int) -> int:
    return 0


def ask(uri: str, zone: Zone | None = None) -> tuple[tuple[Server, ...], list[Question]]:
    """Return the servers, and what was asked for them."""
    asked: list[Question] = []
    location = locate(Uri.parse(uri), first)
    answer: Sequence[Record] | None = None
    while True:
        try:
            question = location.send(answer) if answer is not None else next(location)
        except StopIteration as done:
            return done.value, asked
        asked.append(question)
        answer = (zone or {}).get((question.kind, question.name), ())


def naptr(order: int, service: str, replacement: str, **changes: object) -> Naptr:
    values: dict[str, object] = {"preference": 50, "flags": "s", "regexp": "", **changes}
    return Naptr(order=order, service=service, replacement=replacement, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("uri", "server"),
    [
        ("sip:c@192.0.2.1", Server("udp", HOST, 5060)),
        ("sip:c@192.0.2.1:5080;transport=tcp", Server("tcp", HOST, 5080)),
        ("sip:c@192.0.2.1;transport=TLS", Server("tls", HOST, 5061)),
        ("sips:c@192.0.2.1", Server("tls", HOST, 5061)),
        ("sips:c@192.0.2.1;transport=tcp", Server("tls", HOST, 5061)),
        ("sip:c@[2001:db8::1]", Server("udp", "2001:db8::1", 5060)),
    ],
)
def test_a_numeric_host_needs_no_dns(uri: str, server: Server) -> None:
    assert ask(uri) == ((server,), [])


@pytest.mark.parametrize(
    ("uri", "server"),
    [
        ("sip:c@example.org:5070", Server("udp", HOST, 5070)),
        ("sip:c@EXAMPLE.org.:5070;transport=tcp", Server("tcp", HOST, 5070)),
        ("sips:c@example.org:5070", Server("tls", HOST, 5070)),
    ],
)
def test_a_port_asks_for_addresses_only(uri: str, server: Server) -> None:
    servers, asked = ask(uri, {("ADDRESS", "example.org"): (HOST,)})
    assert servers == (server,)
    assert asked == [Question("ADDRESS", "example.org")]


@pytest.mark.parametrize(
    ("parameter", "name"), [("udp", "_sip._udp"), ("tcp", "_sip._tcp"), ("tls", "_sips._tcp")]
)
def test_a_transport_asks_for_its_srv_records(parameter: str, name: str) -> None:
    zone: Zone = {
        ("SRV", f"{name}.example.org"): (Srv(0, 0, 5099, "a.example.org"),),
        ("ADDRESS", "a.example.org"): (HOST,),
    }
    servers, asked = ask(f"sip:c@example.org;transport={parameter}", zone)
    assert [(one.transport, one.port) for one in servers] == [(parameter, 5099)]
    assert [question.kind for question in asked] == ["SRV", "ADDRESS"]


def test_the_domain_says_by_naptr_which_transport_it_likes_best() -> None:
    zone: Zone = {
        ("NAPTR", "example.org"): (
            naptr(90, "SIP+D2U", "_sip._udp.example.org"),
            naptr(50, "sip+d2t", "_sip._tcp.elsewhere.example", preference=60),
            naptr(50, "SIPS+D2T", "_sips._tcp.example.org"),
            naptr(10, "SIP+D2S", "_sip._sctp.example.org"),
            naptr(11, "SIP+D2U", "_sip._udp.example.org", flags="u"),
            naptr(12, "SIP+D2U", "_sip._udp.example.org", regexp="!.*!x!"),
        ),
        ("SRV", "_sip._tcp.elsewhere.example"): (Srv(1, 0, 5060, "b.example"),),
        ("ADDRESS", "b.example"): (HOST,),
    }
    servers, asked = ask("sip:c@example.org", zone)
    assert servers == (Server("tcp", HOST, 5060),)
    assert [question.name for question in asked] == [
        "example.org",
        "_sips._tcp.example.org",
        "_sip._tcp.elsewhere.example",
        "b.example",
    ]


def test_a_sips_uri_takes_tls_from_naptr_only() -> None:
    zone: Zone = {("NAPTR", "example.org"): (naptr(1, "SIP+D2U", "_sip._udp.example.org"),)}
    _, asked = ask("sips:c@example.org", zone)
    assert [question.name for question in asked] == ["example.org", "_sips._tcp.example.org", "example.org"]


def test_without_naptr_each_transport_is_asked_for_and_without_srv_the_host_itself() -> None:
    servers, asked = ask("sip:c@example.org", {("ADDRESS", "example.org"): (HOST, "2001:db8::1")})
    assert servers == (Server("udp", HOST, 5060), Server("udp", "2001:db8::1", 5060))
    assert [(question.kind, question.name) for question in asked] == [
        ("NAPTR", "example.org"),
        ("SRV", "_sips._tcp.example.org"),
        ("SRV", "_sip._udp.example.org"),
        ("SRV", "_sip._tcp.example.org"),
        ("ADDRESS", "example.org"),
    ]


def test_a_domain_may_say_that_it_takes_no_calls() -> None:
    zone: Zone = {("SRV", "_sip._udp.example.org"): (Srv(0, 0, 0, "."),), ("ADDRESS", "example.org"): (HOST,)}
    assert ask("sip:c@example.org;transport=udp", zone)[0] == ()


def test_an_unknown_domain_has_no_servers() -> None:
    assert ask("sip:c@example.org")[0] == ()


def test_priorities_are_kept_and_addresses_that_are_none_are_left_out() -> None:
    zone: Zone = {
        ("SRV", "_sip._udp.example.org"): (
            Srv(20, 0, 5062, "b.example.org"),
            Srv(10, 0, 5061, "a.example.org"),
            Srv(15, 0, 70_000, "a.example.org"),
            Srv(15, 0, 5060, "192.0.2.9"),
        ),
        ("ADDRESS", "a.example.org"): ("not an address", "fe80::1%eth0", HOST),
        ("ADDRESS", "b.example.org"): (HOST,),
    }
    servers, _ = ask("sip:c@example.org;transport=udp", zone)
    assert [one.port for one in servers] == [5061, 5062]


def test_a_domain_cannot_have_us_ask_and_call_without_end() -> None:
    many = tuple(Srv(0, 0, 5000 + n, f"host{n}.example.org") for n in range(500))
    zone: Zone = {("SRV", "_sip._udp.example.org"): many}
    servers, asked = ask("sip:c@example.org;transport=udp", zone)
    assert servers == ()
    assert len(asked) <= 17
    zone |= {("ADDRESS", one.target): [f"192.0.2.{n}" for n in range(200)] for one in many}
    servers, asked = ask("sip:c@example.org;transport=udp", zone)
    assert len(servers) == MAX_SERVERS
    assert len(asked) <= 4


@pytest.mark.parametrize(
    "uri",
    [
        "sip:c@example.org;transport=sctp",
        "sips:c@example.org;transport=udp",
        "sip:c@example.org;maddr=10.0.0.1",
    ],
)
def test_what_is_not_done_is_refused(uri: str) -> None:
    with pytest.raises(SipError) as refused:
        ask(uri)
    assert refused.value.status == 400


def test_weights_are_chances() -> None:
    """RFC 2782: of 0, 1 and 3 the heaviest comes first most often, and the one of weight 0 now and then."""
    records = [Srv(0, weight, 1, str(weight)) for weight in (3, 0, 1)]
    tops = Counter(in_order(records, lambda n, drawn=drawn: drawn % n)[0].weight for drawn in range(5))  # type: ignore[misc]
    assert tops == {0: 1, 1: 1, 3: 3}


RECORDS = st.lists(
    st.builds(Srv, st.integers(0, 3), st.integers(0, 65_535), st.integers(0, 65_535), st.text(max_size=8)),
    max_size=12,
)


@given(RECORDS, st.randoms(use_true_random=False))
def test_each_record_is_tried_once_and_lower_priorities_first(records: list[Srv], random: object) -> None:
    ordered = in_order(records, lambda n: random.randrange(n))  # type: ignore[attr-defined]
    assert sorted(ordered, key=repr) == sorted(records, key=repr)
    assert [one.priority for one in ordered] == sorted(one.priority for one in records)
