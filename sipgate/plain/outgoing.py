"""A call from one of our users to a plain SIP domain."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sipgate.call_rules import Forwarded
from sipgate.calls.anonymity import decide, dialled_with
from sipgate.calls.callee_leg import Invitation
from sipgate.calls.display import plain_name
from sipgate.calls.happenings import Callee, Search
from sipgate.calls.joint import Joint
from sipgate.calls.node import Node
from sipgate.calls.outgoing import CallingPhone, Outgoing, Referral, offer_beyond
from sipgate.ports import LocalUser, Peer, Refusal
from sipgate.protocol.privacy import ANONYMOUS, NAME, USER
from sipgate.protocol.scanner import quote
from sipgate.protocol.uri import Uri
from sipgate.target import mesh_uri
from sipgate.transport import Hop

from .domains import Domains
from .leg import DomainLeg, DomainLine
from .target import plain_uri, shown

OFF = "Only names at {0} can be called, such as bob@{0}: calls to other domains are turned off"


@dataclass(frozen=True)
class Dialled:
    """Whom a phone means: somebody in the mesh by `target`, or somebody at a plain domain by `plain`, too.

    `anonymous` is what a star code before the name asks for.
    """

    target: str
    plain: Uri | None = None
    anonymous: bool | None = None

    @classmethod
    def of(cls, uri: Uri, node: Node, own_hosts: Collection[str]) -> Dialled:
        """Read what was dialled; raise `Refusal` when it means nobody who can be called from here."""
        uri, anonymous = dialled_with(uri)
        plain = plain_uri(uri, node.domain, own_hosts)
        if plain is None:
            return cls(mesh_uri(uri, node.domain, own_hosts), None, anonymous)
        if node.domains is None:
            raise Refusal(404, OFF.format(node.domain))
        return cls(shown(plain), plain, anonymous)

    def search(
        self,
        node: Node,
        user: LocalUser,
        phone: CallingPhone,
        referral: Referral | None = None,
        *,
        asked: bool | None = None,
    ) -> Search:
        """Return what finds them; `asked` is whether the phone's request wants an anonymous call."""
        anonymous = decide(self.anonymous, asked, node.rules.calls_anonymously(user))
        if self.plain is None or node.domains is None:
            return Outgoing(node, user, self.target, phone, referral, anonymous=anonymous)
        return PlainOutgoing(node, node.domains, user, self.plain, phone, anonymous)


@dataclass(frozen=True)
class PlainOutgoing:
    """Finds the servers of a plain domain for a call from `user`."""

    node: Node
    domains: Domains
    user: LocalUser
    uri: Uri
    phone: CallingPhone
    anonymous: bool = False

    @property
    def target(self) -> str:
        """The URI that was called."""
        return shown(self.uri)

    def forwarded(self, forwarded: Forwarded) -> Search:  # noqa: ARG002 - wherever it is
        """Raise `Refusal`: a plain domain sends our phones nowhere."""
        raise Refusal(480, "The call was forwarded to where it cannot go")

    async def find(self, joint: Joint) -> Callee:
        """Return the leg to the domain, and the offer for it; raise `Refusal`."""
        servers = await self.domains.servers(self.uri)
        peer = Peer(self.target, self.target.partition(":")[2], "plain", "", b"", known=True)
        call_id = self.node.token()
        leg = self._leg(servers, call_id)
        offer = await offer_beyond(self, joint, leg, peer, call_id, self.domains.may_reach)
        return Callee(peer, call_id, offer, (leg,), is_anonymous=self.anonymous)

    def _leg(self, servers: tuple[Hop, ...], call_id: str) -> DomainLeg:
        contact = self.domains.contact(USER if self.anonymous else self.user.username, servers[0])
        line = DomainLine(
            self.domains.endpoint,
            f"<{contact}>",
            self.uri.host,
            servers,
            session_interval=self.node.limits.session_interval,
        )
        name = plain_name(self.user.display_name)
        from_ = f"{quote(name)} <{contact}>" if name else f"<{contact}>"
        privacy: tuple[tuple[str, str], ...] = ()
        if self.anonymous:
            from_, privacy = f"{quote(NAME)} <{ANONYMOUS}>", (("Privacy", "id"),)
        invitation = Invitation(
            str(self.uri), from_, f"<{self.uri}>", call_id, self.phone.max_forwards, privacy
        )

        return DomainLeg(line, self.domains.dialogs, self.node.token(), invitation, self.domains.servers)
