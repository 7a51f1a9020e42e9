"""Tells when this machine's addresses may have changed: by netlink on Linux, by the clock elsewhere."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import suppress

POLL_SECONDS = 2.0
SETTLE_SECONDS = 0.05
_IPV4_ADDRESSES, _IPV6_ADDRESSES = 0x10, 0x100  # RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR of linux/rtnetlink.h
_MESSAGE_BYTES = 65_536


def open_bell() -> socket.socket | None:
    """Return a socket that has something to read whenever an address comes or goes; None where there is none.

    What the kernel says is not parsed: who cares reads all addresses anew.
    """
    family = getattr(socket, "AF_NETLINK", None)
    if family is None:
        return None
    bell = socket.socket(family, socket.SOCK_RAW, 0)
    try:
        bell.setblocking(False)
        bell.bind((0, _IPV4_ADDRESSES | _IPV6_ADDRESSES))
    except OSError:
        bell.close()
        return None
    return bell


async def address_changes(bell: socket.socket | None) -> AsyncGenerator[None]:
    """Yield after each change, once for those that come together; close the bell at the end.

    Without a bell it yields every `POLL_SECONDS`, changed or not.
    """
    if bell is None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            yield
    loop = asyncio.get_running_loop()
    with bell:
        while True:
            with suppress(OSError):  # ENOBUFS: more has happened than the kernel kept, so something has
                await loop.sock_recv(bell, _MESSAGE_BYTES)
            await asyncio.sleep(SETTLE_SECONDS)
            with suppress(OSError):  # EAGAIN: all is read
                while True:
                    bell.recv(_MESSAGE_BYTES)
            yield
