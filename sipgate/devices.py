"""Phones on the LAN: paired devices, over TLS, until they are unpaired."""

from __future__ import annotations

import ssl

from .calls.cause import Cause
from .calls.dialog_leg import DialogLeg
from .calls.line import PhoneLine
from .calls.node import Node
from .endpoint import Endpoint
from .events import PhoneUnregistered
from .stream import StreamFlow
from .ways import host_in_uri

UNPAIRED = Cause(403, "This phone was unpaired")


class Devices:
    """The door for paired devices. It is shut until `listen`."""

    def __init__(self, node: Node, endpoint: Endpoint, hosts: set[str], ports: set[int]) -> None:
        self._node = node
        self._endpoint = endpoint
        self._hosts = hosts
        self._ports = ports

    async def listen(self, host: str, port: int, context: ssl.SSLContext) -> int:
        """Listen at an IP literal, SIP over TLS for phones; return the port. Raises OSError."""
        port = await self._endpoint.listen_tls(host, port, context, "phone")
        self._hosts.add(host_in_uri(host))
        self._ports.add(port)
        self._node.device_port = port
        return port

    def stop_listening(self) -> None:
        """Shut the door: connections of devices are closed."""
        self._endpoint.stop_listening(self._node.device_port, "phone")
        self._ports.discard(self._node.device_port)
        self._node.device_port = 0

    def unpair(self, device: str) -> None:
        """End the calls and the registrations of a device, and its connections."""
        for leg in self._node.dialogs.legs():
            if isinstance(leg, DialogLeg) and isinstance(leg.line, PhoneLine) and leg.line.device == device:
                leg.part(UNPAIRED)
        now = self._node.clock()
        for user, binding in self._node.location.such(now, lambda each: each.device == device):
            self._node.location.drop(user, binding.key)
            self._node.on_event(PhoneUnregistered(user, binding.contact))
            for way in binding.route.ways:
                if isinstance(way, StreamFlow):
                    way.close()
