"""HOST:PORT as people type it, turned into addresses that sockets take."""

import asyncio
import re
import socket
from collections.abc import Iterable

from overlay.protocol.endpoint import Endpoint

from .errors import ConfigError

_HOST_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]]+)):(\d{1,5})")


def split_host_port(text: str) -> tuple[str, int]:
    """Return the two parts of ``host:port`` or ``[v6]:port``.

    Raises:
        ConfigError: the text has another form or the port is above 65535.
    """
    match = _HOST_PORT.fullmatch(text.strip())
    if match is None or int(match[3]) > 65535:
        raise ConfigError(
            f"{text!r} is no address. Write HOST:PORT, such as 192.0.2.1:7350 or [2001:db8::1]:7350."
        )
    return match[1] or match[2], int(match[3])


async def resolve_host(text: str) -> list[Endpoint]:
    """Return the addresses of ``HOST:PORT``; a name may have several.

    Raises:
        ConfigError: the text is malformed or the name is unknown.
    """
    host, port = split_host_port(text)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise ConfigError(f"{host} is not known here: {error.strerror or error}.") from error
    return [Endpoint(str(address[4][0]), port) for address in found]


async def resolve_all(texts: Iterable[str]) -> tuple[list[Endpoint], list[str]]:
    """Return the addresses of all ``texts``, and a sentence for each name that could not be resolved.

    Raises:
        ConfigError: a text is malformed (a name that DNS does not know now is no error: it may later).
    """
    endpoints: list[Endpoint] = []
    problems: list[str] = []
    for text in texts:
        split_host_port(text)
        try:
            endpoints += await resolve_host(text)
        except ConfigError as error:
            problems.append(str(error))
    return endpoints, problems
