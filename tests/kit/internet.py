"""A small Internet of network namespaces: public hosts, each in a /24 of its own, and homes behind real translators."""

import subprocess
from collections import Counter
from collections.abc import Mapping
from enum import Enum

from tests.kit.netns import Namespaces, command_in, ip

BACKBONE = "inet"
MESH_PORT = 7350


class Router(Enum):
    """How a home's router maps and filters UDP (RFC 4787, with RFC 3489's names).

    Linux keeps a flow's port where that is free, for any destination. A stranger who comes first would take the port
    from the flow, which then looks symmetric: so the router drops strangers, as routers at home do.
    """

    PORT_RESTRICTED = "port-restricted"
    SYMMETRIC = "symmetric"
    FULL_CONE = "full-cone"
    """A port-restricted one in which somebody has opened the mesh port: TCP and UDP."""


class Internet(Namespaces):
    """`homes` says which hosts stand behind which router; all the others are on the Internet itself (45.0.0.0/16).

    There is no name server. Each host has a default route, since addresses of the world are to be used.
    """

    def __init__(self, *hosts: str, homes: Mapping[str, Router]) -> None:
        super().__init__()
        self._hosts = hosts
        self._homes = homes
        self._renumbered: Counter[str] = Counter()

    def build(self) -> None:
        """Make the backbone, one router with a cable for each network, and all that hangs on it."""
        self.make(BACKBONE)
        self.forward(BACKBONE)
        for host in self._hosts:
            self.make(host)
            router = self._homes.get(host)
            if router is None:
                self.connect(host)
                continue
            gate = f"{host}-gate"
            self.make(gate)
            self.connect(gate, host)
            self.forward(gate)
            self.cable(gate, "lan", host, "eth0")
            self.configure(gate, "lan", "192.168.1.1")
            self.configure(host, "eth0", "192.168.1.2", gateway="192.168.1.1")
            self.translate(gate, router)

    def address(self, host: str) -> str:
        """Where the world sees the host: its own address, or its router's."""
        return f"45.0.{self._hosts.index(host) + 1}.2"

    def mesh_at(self, host: str) -> str:
        """The host's mesh port, as seen from the Internet when nothing translates it."""
        return f"{self.address(host)}:{MESH_PORT}"

    def renumber(self, host: str) -> str:
        """Give a host on the Internet another address in its network; return it. Nobody is told."""
        namespace, number = self.namespace(host), self._hosts.index(host) + 1
        self._renumbered[host] += 1
        address = f"45.0.{number}.{2 + self._renumbered[host] % 250}"
        ip("-n", namespace, "address", "flush", "dev", "wan")
        self.configure(host, "wan", address, gateway=f"45.0.{number}.1")
        return address

    def cut(self, host: str) -> None:
        """Let nothing through between a network and the backbone; neither side sees it."""
        number = self._hosts.index(host)
        self.run(
            BACKBONE,
            ["nft", "-f", "-"],
            f"""table ip cut{number} {{
                chain forward {{
                    type filter hook forward priority filter
                    iifname "port{number}" drop
                    oifname "port{number}" drop
                }}
            }}""",
        )

    def heal(self, host: str) -> None:
        """Plug it in again."""
        self.run(BACKBONE, ["nft", "delete", "table", "ip", f"cut{self._hosts.index(host)}"])

    def connect(self, machine: str, host: str = "") -> None:
        """Put a machine on the Internet, at the address of `host`."""
        host = host or machine
        gateway = f"45.0.{self._hosts.index(host) + 1}.1"
        port = f"port{self._hosts.index(host)}"
        self.cable(machine, "wan", BACKBONE, port)
        self.configure(BACKBONE, port, gateway)
        self.configure(machine, "wan", self.address(host), gateway=gateway)

    def configure(self, machine: str, interface: str, address: str, gateway: str = "") -> None:
        """Give an interface an address, and the machine a way out."""
        namespace = self.namespace(machine)
        ip("-n", namespace, "address", "add", f"{address}/24", "dev", interface)
        if gateway:
            ip("-n", namespace, "route", "add", "default", "via", gateway)

    def forward(self, machine: str) -> None:
        """Let a machine pass packets on."""
        self.run(machine, ["sysctl", "-qw", "net.ipv4.ip_forward=1"])

    def translate(self, gate: str, router: Router) -> None:
        """Let a machine translate what goes out to its interface `wan`."""
        mapping = "masquerade fully-random" if router is Router.SYMMETRIC else "masquerade"
        opened = f'iifname "wan" meta l4proto {{ tcp, udp }} th dport {MESH_PORT} dnat to 192.168.1.2'
        self.run(
            gate,
            ["nft", "-f", "-"],
            f"""table ip home {{
                chain inwards {{
                    type nat hook prerouting priority dstnat
                    {opened if router is Router.FULL_CONE else ""}
                }}
                chain outwards {{
                    type nat hook postrouting priority srcnat
                    oifname "wan" {mapping}
                }}
                chain input {{
                    type filter hook input priority filter
                    iifname "wan" ct state new drop
                }}
                chain forward {{
                    type filter hook forward priority filter
                    iifname "wan" ct state new ct status ! dnat drop
                }}
            }}""",
        )

    def run(self, machine: str, argv: list[str], rules: str = "") -> None:
        """Run a command on a machine; it must succeed."""
        subprocess.run(
            command_in(self.namespace(machine), argv),
            input=rules.encode(),
            check=True,
            capture_output=True,
            timeout=10,
        )
