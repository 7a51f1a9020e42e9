"""What the use cases of calls share: the ports of the gateway, its tables, and its addresses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sipgate.call_rules import CallRules, RingAlways
from sipgate.events import GatewayEvent
from sipgate.identity import NodeIdentity
from sipgate.limits import Limits
from sipgate.location import Location
from sipgate.ports import (
    Accounts,
    Admission,
    Alias,
    Aliases,
    Directory,
    Doorkeeper,
    LocalUser,
    MediaFactory,
    NoWork,
    OpenDoor,
    Peer,
    Service,
    Whereabouts,
    Work,
    nowhere,
)
from sipgate.protocol.privacy import ANONYMOUS
from sipgate.transport import TransportName
from sipgate.ways import SIP_PORT, host_in_uri

from .dialogs import Dialogs
from .handsets import Handsets
from .sending import Sender

if TYPE_CHECKING:
    from sipgate.plain.domains import Domains


@dataclass
class Node:
    """This node, as its calls see it. `token` gives unguessable text, `clock` is monotonic.

    Without `domains` nobody outside of the mesh is called. `alone` is set for the use of one anonymous call: the secret
    that keeps its connection apart.
    """

    domain: str
    identity: NodeIdentity
    accounts: Accounts
    directory: Directory
    admission: Admission
    media: MediaFactory
    services: Callable[[str], Callable[[], Service] | None]
    location: Location
    limits: Limits
    on_event: Callable[[GatewayEvent], None]
    token: Callable[[], str]
    clock: Callable[[], float]
    sender: Sender
    doorkeeper: Doorkeeper = field(default_factory=OpenDoor)
    work: Work = field(default_factory=NoWork)
    rules: CallRules = field(default_factory=RingAlways)
    domains: Domains | None = None
    aliases: Aliases | None = None
    alone: str = ""
    whereabouts: Whereabouts = nowhere
    dialogs: Dialogs = field(default_factory=Dialogs)
    handsets: Handsets = field(default_factory=Handsets)
    phone_port: int = SIP_PORT
    device_port: int = 0
    mesh_port: int = 0

    def phone_contact(self, uri: str, local_host: str, transport: TransportName) -> str:
        """Return our Contact towards a phone."""
        parameter = "" if transport == "udp" else f";transport={transport}"
        port = self.device_port if transport == "tls" else self.phone_port
        return f"<{_user_at(uri)}{host_in_uri(local_host)}:{port}{parameter}>"

    def mesh_contact(self, uri: str, local_host: str) -> str:
        """Return our Contact towards another node. An anonymous call has its connection, and no other way back."""
        if self.alone:
            return f"<{ANONYMOUS};transport=tls>"
        return f"<{_user_at(uri)}{host_in_uri(local_host)}:{self.mesh_port};transport=tls>"

    def service_for(self, uri: str, user: LocalUser | None) -> Callable[[], Service] | None:
        """Return what makes the service that answers calls to a URI, if one does."""
        return self.services(uri) or (self.services(user.uri) if user is not None else None)

    def under(self, alias: Alias) -> Node:
        """Return this node as one anonymous call shows it."""
        return replace(
            self,
            identity=self.identity.with_key(alias.node_key),
            directory=alias.directory,
            media=alias.media,
            work=alias.work,
            alone=self.token(),
        )

    def as_peer(self, user: LocalUser) -> Peer:
        """Return one of our own users as another of them sees them."""
        return Peer(user.uri, user.display_name, "self", "", self.identity.node_public_key, known=True)


def _user_at(uri: str) -> str:
    return uri.partition("@")[0] + "@"
