import socket

import pytest

from freecall.addresses import resolve_all, split_host_port
from freecall.errors import ConfigError, NoFreePort
from freecall.listen import free_port, hosts_of


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("192.0.2.1:7350", ("192.0.2.1", 7350)),
        ("[2001:db8::1]:1", ("2001:db8::1", 1)),
        ("node.example:65535", ("node.example", 65535)),
    ],
)
def test_host_and_port_are_split(text: str, parts: tuple[str, int]) -> None:
    assert split_host_port(text) == parts


@pytest.mark.parametrize(
    "text", ["", "host", "host:", ":1", "host:65536", "a b:1", "2001:db8::1:7350", "host:1:2"]
)
def test_anything_else_is_a_sentence(text: str) -> None:
    with pytest.raises(ConfigError, match="HOST:PORT"):
        split_host_port(text)


async def test_a_name_that_dns_does_not_know_is_a_problem_not_an_end() -> None:
    endpoints, problems = await resolve_all(["127.0.0.1:7350", "no-such-host.invalid:7350"])
    assert [str(endpoint) for endpoint in endpoints] == ["127.0.0.1:7350"]
    assert len(problems) == 1
    assert "no-such-host.invalid" in problems[0]


def test_a_taken_port_moves_on_unless_it_was_asked_for() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        if port > 65000:
            pytest.skip("the system chose a port at the very end")
        assert free_port(["127.0.0.1"], port, exact=False) > port
        with pytest.raises(NoFreePort, match="in use"):
            free_port(["127.0.0.1"], port, exact=True)


def test_an_address_of_another_machine_is_a_sentence() -> None:
    with pytest.raises(NoFreePort, match=r"192\.0\.2\.99"):
        free_port(["192.0.2.99"], 7350, exact=True)


def test_without_a_setting_every_usable_default_host_is_taken() -> None:
    assert hosts_of("", ["127.0.0.1", "192.0.2.99"], 7350) == (["127.0.0.1"], 7350, False)
    assert hosts_of("127.0.0.1:1", ["0.0.0.0"], 7350) == (["127.0.0.1"], 1, True)
