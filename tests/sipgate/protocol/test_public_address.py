"""Where a domain may not send us."""

import pytest

from sipgate.protocol.public_address import is_public, is_unicast


@pytest.mark.parametrize("address", ["198.41.0.4", "2001:4860:4860::8888", "64:ff9b::c629:4"])
def test_hosts_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "255.255.255.255", "192.0.2.1", "240.0.0.1"),
        *("::1", "::", "fe80::1", "fd00::1", "ff02::1", "2001:db8::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1"),
        *("64:ff9b::a00:1", "2002:a00:1::1", "2002:7f00:1::", "fe80::1%eth0", "example.org", "", "010.0.0.1"),
    ],
)
def test_our_machine_our_lan_and_groups_are_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "::1", "fe80::1", "198.41.0.4"])
def test_a_host_anywhere_is_unicast(address: str) -> None:
    assert is_unicast(address)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "x"])
def test_a_group_or_no_address_is_not(address: str) -> None:
    assert not is_unicast(address)
