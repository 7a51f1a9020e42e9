"""A phone calls a plain SIP domain through its node: a real phone there, found by a real DNS, on another host."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.interop.conftest import Speech
from tests.kit.baresip import Baresip, Line
from tests.kit.capture import Capture, PhoneTraffic, is_run_of
from tests.kit.dns_server import DnsServer, udp_socket
from tests.kit.netns import Lan, inside
from tests.kit.nodes import Node, command
from tests.kit.process import run
from tests.kit.site import connect, phone_of

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.asyncio]
CAROL = "sip:carol@example.org"
ONE_SECOND = 50


@contextmanager
def name_server(namespace: str, address: str) -> Iterator[None]:
    """Let programs in a namespace ask the DNS at an address (`ip netns exec` shows them a resolv.conf of their own)."""
    folder = Path("/etc/netns") / namespace
    folder.mkdir(parents=True)
    (folder / "resolv.conf").write_text(f"nameserver {address}\n")
    try:
        yield
    finally:
        shutil.rmtree(folder)


async def test_a_call_to_a_plain_domain_is_heard_at_both_ends_and_said_to_be_in_the_clear(
    data: Path, voices: dict[str, Speech]
) -> None:
    (data / "config.toml").write_text("[calls]\nplain_domains = true\nplain_domains_private = true\n")
    with Lan("a", "b") as lan, name_server(lan.namespace("a"), lan.address("b")):
        here, there, address = lan.namespace("a"), lan.namespace("b"), lan.address("b")
        line = Line(address, 5060, "carol", "none", "example.org")
        carol = Baresip(line, voices["bob"][8_000], there, must_register=False, address=address)
        async with (
            Capture("lo", here) as inner,
            Capture("eth0", here) as wire,
            DnsServer(sock=inside(there, lambda: udp_socket(address, 53))) as dns,
            Node("alice", data, here) as node,
            phone_of(node, voices["alice"]) as near,
            carol as far,
        ):
            dns.zone["_sip._udp.example.org", "SRV"] = [f"10 0 {far.sip_port} pbx.example.org."]
            dns.zone["pbx.example.org", "A"] = [address]
            near_rtp = PhoneTraffic(inner, near.rtp_ports)
            far_rtp = PhoneTraffic(wire, far.rtp_ports)
            await connect(near, far, CAROL)
            started = await node.event("call_started")
            assert (started["peer"], started["trust"]) == (CAROL, "plain")
            await node.event("call_plain", call=started["call"], peer=CAROL)
            for rtp in (near_rtp, far_rtp):
                await rtp.until_heard(ONE_SECOND)
            await near.hold()
            await far_rtp.until_quiet()
            await near.resume()
            far_rtp.forget()
            await far_rtp.until_heard(10)
            await far.hang_up()
            await near.event("CALL_CLOSED")
            ended = await node.event("call_ended")
            assert ended["by"] == "peer"
            assert not node.journal.has("call_secured")
            history = await run(command("calls", "--data", str(data), "history"), namespace=here)
            assert "carol@example.org (NOT ENCRYPTED)" in history.stdout, history
        assert is_run_of(near_rtp.heard(), far_rtp.spoken())
        assert is_run_of(far_rtp.heard()[:ONE_SECOND], near_rtp.spoken())
