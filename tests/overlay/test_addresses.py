"""Where others reach this machine."""

import ipaddress
from types import SimpleNamespace

import ifaddr
import pytest

from overlay.addresses import reachable_endpoints, usable_addresses
from overlay.protocol.endpoint import Endpoint


def machine(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> None:
    """Let the machine have these addresses."""
    ips = [SimpleNamespace(ip=host if "." in host else (host, 0, 1)) for host in hosts]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: [SimpleNamespace(ips=ips)])


def test_global_addresses_come_first_and_useless_ones_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(
        monkeypatch,
        "127.0.0.1",
        "::1",
        "fe80::1",
        "169.254.1.1",
        "192.168.1.2",
        "2a00::2",
        "45.0.0.1",
        "45.0.0.1",
    )
    assert usable_addresses() == ["45.0.0.1", "2a00::2", "192.168.1.2", "169.254.1.1"]


def test_a_machine_without_network_has_its_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, "127.0.0.1", "::1", "fe80::1")
    assert usable_addresses() == ["127.0.0.1"]


def test_sockets_bound_to_all_addresses_are_spelled_out_by_family(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, "192.168.1.2", "2a00::2")
    bound = [Endpoint("0.0.0.0", 7), Endpoint("::", 8)]
    assert reachable_endpoints(bound) == [Endpoint("192.168.1.2", 7), Endpoint("2a00::2", 8)]
    assert reachable_endpoints([Endpoint("127.0.0.1", 7)]) == [Endpoint("127.0.0.1", 7)]


def test_this_machine_has_an_address() -> None:
    assert all(ipaddress.ip_address(host) for host in usable_addresses())
