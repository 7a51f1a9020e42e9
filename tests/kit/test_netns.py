"""The kit builds small networks and takes them down."""

import asyncio
import socket

import pytest

from tests.kit.capture import Capture
from tests.kit.netns import Lan, inside
from tests.kit.process import Program, run

pytestmark = pytest.mark.namespaces


async def test_two_hosts_reach_each_other_and_a_capture_sees_it() -> None:
    with Lan("a", "b") as lan:
        sockets = [
            inside(lan.namespace(host), lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            for host in "ab"
        ]
        async with Capture("eth0", lan.namespace("b")) as capture:
            sockets[1].bind((lan.address("b"), 9))
            sockets[0].sendto(b"hello", (lan.address("b"), 9))
            await capture.until(lambda: any(p.payload == b"hello" for p in capture.packets), "hello")
        for sock in sockets:
            sock.close()


async def test_nothing_is_left_behind() -> None:
    with Lan("a") as lan:
        namespace = lan.namespace("a")
        up = asyncio.Event()
        program = await Program.start(
            ["sh", "-c", "echo up; exec sleep 60"], namespace=namespace, on_line=lambda _line: up.set()
        )
        async with asyncio.timeout(10):
            await up.wait()
    assert await program.wait(10) == -9
    assert namespace not in (await run(["ip", "netns", "list"])).stdout
