"""Keeps a node findable: joins the mesh, publishes key, node record and claims, and follows changes of address."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from overlay.addresses import reachable_endpoints
from overlay.errors import OverlayError
from overlay.protocol.claim import Claim
from overlay.protocol.endpoint import Endpoint, Scope
from trust.protocol.packed_key import pack

from .address_watch import address_changes, open_bell
from .events import EventLog
from .identity import Identity
from .key_blobs import publish_key
from .meshes import Directory

ADDRESS_CHECK_SECONDS = 5.0


class Announcer:
    """Publishes who and where this node is, for as long as it runs."""

    def __init__(
        self, identity: Identity, overlay: Directory, listening: Sequence[Endpoint], log: EventLog
    ) -> None:
        self._identity = identity
        self._overlay = overlay
        self._listening = listening
        self._log = log
        self._told: tuple[Endpoint, ...] = ()

    async def run(self) -> None:
        """Join, publish to those found, then watch the machine's addresses until cancelled."""
        if not await self._overlay.join():
            self._log.emit("isolated", reason="alone")
        self._told = self.addresses()
        claim = await self._claim()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._overlay.publish_node(self._told))
            group.create_task(self._publish_names(claim))
        await self._warn_about_namesakes()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_addresses(group))
            while True:
                await asyncio.sleep(ADDRESS_CHECK_SECONDS)
                self._tell_again(group)

    async def _follow_addresses(self, group: asyncio.TaskGroup) -> None:
        """Tell where we are now as soon as the system knows: who is in a call with us looks there."""
        bell = open_bell()
        if bell is None:
            return  # the clock has to do
        async with aclosing(address_changes(bell)) as changes:
            async for _ in changes:
                self._tell_again(group)

    def _tell_again(self, group: asyncio.TaskGroup) -> None:
        """Publish our addresses if they have changed; while there are none, the last ones are as good as any."""
        now = self.addresses()
        if now != self._told and any(at.scope is not Scope.MACHINE for at in now):
            self._told = now
            group.create_task(self._overlay.publish_node(now))

    def addresses(self) -> tuple[Endpoint, ...]:
        """Return where others can reach this node now: where the world sees us if it can, and the machine's own."""
        own, seen_as = reachable_endpoints(self._listening), self._overlay.seen_as
        if seen_as is None or seen_as.scope is not Scope.WORLD or not self._overlay.is_reachable:
            return tuple(own)
        return tuple(dict.fromkeys([seen_as, *own]))

    async def _claim(self) -> Claim:
        return Claim(
            fingerprint=bytes.fromhex(self._identity.keyring.fingerprint),
            node_public_key=self._identity.node_key.public_key,
            key_blob=await publish_key(self._overlay, self._identity.uri, pack(self._identity.public_key)),
            delegation=bytes(self._identity.delegation),
        )

    async def _publish_names(self, claim: Claim) -> None:
        for uri in (self._identity.uri, self._identity.long_uri):
            copies = await self._overlay.publish_claim(uri, claim)
            self._log.emit("published", uri=uri, copies=copies)

    async def _warn_about_namesakes(self) -> None:
        """Tell the user when others claim the same short name: then only the long address is unmistakable."""
        own = bytes.fromhex(self._identity.keyring.fingerprint)
        try:
            resolution = await self._overlay.resolve(self._identity.uri)
        except OverlayError:
            return  # nobody to ask: nobody to be confused with
        others = len({found.claim.fingerprint for found in resolution.claims} - {own})
        if others:
            who = "Somebody else on the mesh uses" if others == 1 else f"{others} others on the mesh use"
            self._log.emit(
                "warning",
                text=f"{who} the name {self._identity.name} too. Give people your long address: "
                f"{self._identity.long_uri.removeprefix('sip:')}",
            )
