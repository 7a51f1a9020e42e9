import pytest

from sipgate.protocol.via import Via
from sipgate.protocol.via_rules import note_source, response_port
from tests.sipgate.samples import request


def noted(via: str, host: str = "198.51.100.7", port: int = 4000) -> Via:
    message = request("OPTIONS")
    message.headers.set("Via", via)
    note_source(message, host, port)
    assert len(message.vias) == via.count("SIP/2.0")
    return message.top_via


def test_rport_is_filled_in_only_where_it_is_asked_for() -> None:
    via = noted("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-1;rport")
    assert (via.received, via.rport) == ("198.51.100.7", 4000)
    via = noted("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-1")
    assert (via.received, via.rport) == ("198.51.100.7", None)


def test_nothing_is_added_when_the_sender_is_where_it_says() -> None:
    assert noted("SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-1").parameters == {"branch": "z9hG4bK-1"}
    assert noted("SIP/2.0/TCP [2001:DB8::1];branch=z9hG4bK-1", "2001:db8::1").received is None


def test_what_the_sender_claims_is_not_believed() -> None:
    via = noted("SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK-1;received=192.0.2.66;rport=1")
    assert (via.received, via.rport) == ("198.51.100.7", 4000)
    assert noted("SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK-1;received=192.0.2.66").received is None


def test_only_the_top_via_of_a_list_is_changed() -> None:
    message = request("OPTIONS")
    message.headers.set(
        "Via", "SIP/2.0/UDP a.example;branch=z9hG4bK-1, SIP/2.0/UDP b.example;branch=z9hG4bK-2"
    )
    note_source(message, "198.51.100.7", 4000)
    assert [via.received for via in message.vias] == ["198.51.100.7", None]


@pytest.mark.parametrize(
    ("via", "port"),
    [
        ("SIP/2.0/UDP a.example:5070;rport", 4000),
        ("SIP/2.0/UDP a.example:5070;rport=9", 4000),
        ("SIP/2.0/UDP a.example:5070", 5070),
        ("SIP/2.0/UDP a.example", 5060),
        ("SIP/2.0/TLS a.example", 5061),
        ("SIP/2.0/UDP a.example:5070;maddr=192.0.2.66", 5070),
    ],
)
def test_the_port_of_a_response(via: str, port: int) -> None:
    assert response_port(Via.parse(via), 4000) == port
