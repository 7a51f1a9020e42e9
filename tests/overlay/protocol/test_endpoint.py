"""Endpoints: text and compact form."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overlay.protocol.endpoint import Endpoint, pack_host, prefix
from overlay.protocol.errors import WireError

from .strategies import endpoints


@given(endpoints)
def test_text_and_bytes_come_back(endpoint: Endpoint) -> None:
    assert Endpoint.parse(str(endpoint)) == endpoint
    assert Endpoint.unpack(endpoint.pack()) == endpoint


@pytest.mark.parametrize(
    "text",
    ["", "1.2.3.4", "1.2.3.4:", ":5", "1.2.3.4:65536", "1.2.3.4:-1", "[1.2.3.4]:5", "::1:5", "[::1]", "a.example:5",
     "1.2.3.4:\u0665", "[fe80::1%eth0]:5"],
)  # fmt: skip
def test_what_is_no_address_with_a_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no IP address"):
        Endpoint.parse(text)


@given(st.text())
def test_text_gives_an_endpoint_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        Endpoint.parse(text)


@given(st.binary(max_size=20))
def test_bytes_give_an_endpoint_or_a_wire_error(data: bytes) -> None:
    with contextlib.suppress(WireError):
        assert Endpoint.unpack(data).pack() == data


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "224.0.0.251", "255.255.255.255", "::", "ff02::fb", "::ffff:1.2.3.4"]
)
def test_nobody_makes_us_send_to_groups_to_everybody_or_to_ipv4_in_disguise(host: str) -> None:
    with pytest.raises(WireError):
        Endpoint.unpack(pack_host(host) + b"\x00\x05")


def test_port_0_is_for_binding_only() -> None:
    assert Endpoint.parse("127.0.0.1:0").port == 0
    with pytest.raises(WireError):
        Endpoint.unpack(bytes([127, 0, 0, 1, 0, 0]))


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3", "192.168.1.1", "fe80::1", "fd00::1", "::1"])
def test_private_addresses_belong_to_no_network_that_is_limited(host: str) -> None:
    assert prefix(host) is None


def test_a_global_network_is_24_bits_of_ipv4_and_56_of_ipv6() -> None:
    assert prefix("45.0.1.2") == prefix("45.0.1.200") != prefix("45.0.2.2")
    assert prefix("2a00:1:2:3400::1") == prefix("2a00:1:2:34ff::2") != prefix("2a00:1:2:3500::1")
