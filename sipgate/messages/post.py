"""What a mailbox can ask of the gateway."""

from __future__ import annotations

from dataclasses import dataclass

from sipgate.calls.node import Node
from sipgate.ports import LocalUser, Peer, Taken

from .to_node import to_node
from .to_phones import Delivery, to_phones


@dataclass(frozen=True)
class Post:
    """Brings messages to phones and letters to nodes."""

    node: Node

    async def to_phones(self, user: LocalUser, delivery: Delivery) -> None:
        """Return when a phone of our `user` has taken the message; raise `Refusal`."""
        await to_phones(self.node, user, delivery)

    async def to_node(self, user: LocalUser, peer: Peer, letter: bytes) -> Taken:
        """Bring a letter of our `user` to the node of `peer`; raise `Refusal`."""
        return await to_node(self.node, user, peer, letter)
