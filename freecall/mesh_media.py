"""Answers the gateway's `MediaFactory` port with the media package, and turns its news into events and pins.

The media package costs up to a second and 40 MB to import (aiortc): `warm_up` does so in a thread, once the node
is ready, so that neither the start nor the first call waits for it.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import socket
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from overlay.addresses import usable_addresses
from overlay.protocol.nodeid import node_id_of
from sipgate import ports as gateway_ports
from sipgate.ports import MediaContext, Peer, PhoneSide
from trust.keyring import BadKey, BadSignature, Keyring
from trust.pins import PinConflict, Pins, PinsFull

from .adapters import SELF, PeerKeys, Self, is_loopback
from .address_watch import address_changes, open_bell
from .events import EventLog
from .retained import CallSecrets, RetainedSecrets
from .supervise import Supervisor

if TYPE_CHECKING:
    from media.call_media import CallMedia
    from media.certificate_stock import CertificateStock
    from media.events import MediaEvent, Secured
    from media.relay import Relay
    from media.sockets import Sockets
    from media.softphone import EchoPhone, WavPhone

DISCARD_PORT = 9
AFTER_THE_INVITATION = 0.003  # seconds until the tasks of a call's media begin: nobody speaks yet
HEARING = {"heard": "yes", "lost": "no", "silent": "silent"}


_cold = ["media.call_media", "media.softphone"]


async def warm_up() -> None:
    """Import the media package without holding up the loop; once that is done, no call waits for a thread."""
    for name in _cold.copy():
        await asyncio.to_thread(importlib.import_module, name)
        if name in _cold:  # somebody else may have waited for the same
            _cold.remove(name)
            gc.freeze()  # what is loaded stays: no collection has to look through it while somebody waits for a ring


class PeerEndorser:
    """Answers media's `Endorser` port: our user's signature, and the peer's checked against the expected key."""

    def __init__(self, keyring: Keyring, peer_fingerprint: str, peer_key: bytes) -> None:
        self._keyring = keyring
        self._peer_fingerprint = peer_fingerprint
        self._peer_key = peer_key

    async def sign(self, statement: bytes) -> bytes:
        """Return our user's detached signature."""
        return await self._keyring.sign(statement)

    async def verify(self, statement: bytes, signature: bytes) -> bool:
        """Tell whether the peer's primary key, and no other, signed ``statement``."""
        try:
            return await self._keyring.verify(statement, signature, self._peer_key) == self._peer_fingerprint
        except (BadSignature, BadKey):
            return False


class MeshMedia:
    """Opens the media of each call, and tells what becomes of it."""

    def __init__(
        self,
        me: Self,
        keyring: Keyring,
        pins: Pins,
        keys: PeerKeys,
        log: EventLog,
        call_of: Callable[[str, str], str],
        clock: Callable[[], float],
        supervisor: Supervisor,
        retained: RetainedSecrets,
        sockets: Sockets,
    ) -> None:
        self._me = me
        self._keyring = keyring
        self._pins = pins
        self._keys = keys
        self._log = log
        self._call_of = call_of
        self._clock = clock
        self._supervisor = supervisor
        self._retained = retained
        self._sockets = sockets
        self._stock: CertificateStock | None = None
        self._carried: dict[CallMedia, str] = {}
        self._watch: asyncio.Task[None] | None = None

    async def open(self, context: MediaContext) -> gateway_ports.CallMedia:
        """Return the media of a new call.

        Raises:
            MediaRefused: the peer's key is not at hand, so its confirmation could not be checked.
        """
        await warm_up()
        if context.peer.trust == "plain":
            return self._relayed(_plain_call(context))
        from media.call_media import CallMedia, Parties
        from media.certificate_stock import CertificateStock

        peer = context.peer
        key = self._keys.get(peer.fingerprint, peer.node_public_key)
        if key is None:
            raise gateway_ports.MediaRefused(
                488, f"The key of {peer.display_name} is not known: the call cannot be verified."
            )
        own, other = (
            (self._me.fingerprint, self._me.node_public_key),
            (peer.fingerprint, peer.node_public_key),
        )
        caller, callee = (own, other) if context.role == "caller" else (other, own)
        stock = self._stock = self._stock or CertificateStock()
        media = CallMedia(
            role=context.role,
            call_id=context.call_id,
            parties=Parties(
                caller_fingerprint=caller[0],
                callee_fingerprint=callee[0],
                caller_node_id=node_id_of(caller[1]),
                callee_node_id=node_id_of(callee[1]),
            ),
            endorser=PeerEndorser(self._keyring, peer.fingerprint, key),
            phone_host=context.phone_host,
            phone_allowed=context.phone_allowed,
            mesh_addresses=mesh_addresses(context.peer_host),
            early=peer.known,
            anonymous=context.anonymous,
            mute_until_confirmed=peer.known or peer.trust in ("pinned", "verified"),
            on_event=partial(self._tell, context, key, {}),
            peer_name=peer.display_name,
            retained=self._secrets(context),
            sockets=self._sockets,
            certificate=stock.take(),
        )
        self._supervisor.start(self._carry(media, context.peer_host), name="media of a call")
        return GatewayCallMedia(media)

    async def between(self, calling: PhoneSide, called: PhoneSide) -> gateway_ports.CallMedia:
        """Return media that passes on what two phones of this node say."""
        await warm_up()
        from media.relay import Relay, RelaySide

        sides = (RelaySide(side.host, side.allowed) for side in (calling, called))
        return self._relayed(Relay(*sides))

    def _relayed(self, relay: Relay) -> GatewayCallMedia:
        self._supervisor.start(relay.run(), name="media of a call that is relayed")
        return GatewayCallMedia(relay)

    async def _carry(self, media: CallMedia, peer_host: str) -> None:
        """Run the media of a call; while there are calls, this machine's addresses are watched for them."""
        self._carried[media] = peer_host
        try:
            await asyncio.sleep(AFTER_THE_INVITATION)
            if self._watch is None:
                self._watch = self._supervisor.start(self._follow_addresses(), name="the watch for addresses")
            await media.run()
        finally:
            if self._stock is not None:
                self._stock.fill()
            del self._carried[media]
            if not self._carried and self._watch is not None:
                self._watch.cancel()
                self._watch = None

    async def _follow_addresses(self) -> None:
        async with aclosing(address_changes(open_bell())) as changes:
            async for _ in changes:
                for media, peer_host in list(self._carried.items()):
                    addresses = mesh_addresses(peer_host)
                    if is_loopback(peer_host) or not is_loopback(addresses[0]):
                        await media.move(addresses)

    def _secrets(self, context: MediaContext) -> CallSecrets | None:
        """Return what is kept of calls with this peer; calls to oneself, and anonymous ones, have nothing to show."""
        if context.peer.trust == SELF or _is_anonymous(context):
            return None
        call = partial(self._call_of, context.call_id, context.role)
        return CallSecrets(self._retained, context.peer, self._log, call)

    def _tell(self, context: MediaContext, key: bytes, known: dict[str, str], event: MediaEvent) -> None:
        """Tell one event; `known` keeps the call's short id for what is told after its end."""
        from media.events import (
            CallHearing,
            CallQuality,
            MediaConnected,
            MediaPath,
            PhonesSecureThemselves,
            Secured,
        )

        call = self._call_of(context.call_id, context.role)
        if call == context.call_id:
            call = known.get(context.call_id, call)
        known[context.call_id] = call
        if isinstance(event, MediaConnected):
            self._log.emit("call_media", call=call, setup_ms=round(event.setup_ms, 1))
        elif isinstance(event, Secured):
            self._secured(context, key, call, event)
        elif isinstance(event, PhonesSecureThemselves):
            self._log.emit("phones_secure_themselves", call=call, by=event.by)
        elif isinstance(event, MediaPath):
            gap = {} if event.gap_ms is None else {"gap_ms": round(event.gap_ms)}
            self._log.emit("call_path", call=call, state=event.state, **gap)
        elif isinstance(event, CallHearing):
            they, you = HEARING[event.outgoing], HEARING[event.incoming]
            self._log.emit("call_hearing", call=call, they_hear_you=they, you_hear_them=you)
        elif isinstance(event, CallQuality):
            figures = asdict(event)
            del figures["call_id"]
            for name in ("jitter_ms", "round_trip_ms", "far_loss", "mos"):
                figures[name] = None if figures[name] is None else round(figures[name], 3)
            self._log.emit("call_quality", call=call, **figures)

    def _secured(self, context: MediaContext, key: bytes, call: str, event: Secured) -> None:
        peer = context.peer
        if event.signed and peer.trust != SELF and not _is_anonymous(context):
            self._pin(peer, key)
        pin = self._pins.get(peer.uri)
        self._log.emit(
            "call_secured",
            call=call,
            peer=peer.uri,
            fingerprint=peer.fingerprint,
            node_id=node_id_of(peer.node_public_key).hex(),
            trust=peer.trust,
            words=list(event.words),
            session=event.session_hash.hex(),
            signed=event.signed,
            pinned=peer.trust == SELF or (pin is not None and pin.fingerprint == peer.fingerprint),
            dtls=event.dtls_version,
            cipher=event.cipher,
            profile=event.profile,
            elapsed_ms=round(event.elapsed_ms, 1),
        )

    def _pin(self, peer: Peer, key: bytes) -> None:
        """Keep the key of somebody new. A full table is told, but does not end a good call."""
        try:
            self._pins.pin(peer.uri, peer.fingerprint, key, self._clock(), peer.node_public_key)
        except (PinsFull, PinConflict) as problem:  # a conflict: another call pinned another key meanwhile
            self._log.emit("warning", text=str(problem))


def _is_anonymous(context: MediaContext) -> bool:
    """Tell whether the caller does not say who they are: such a call leaves nothing by which it could be known again.

    Not at the caller's node either: whoever is pinned there sees whether our user is there, and would know who it was.
    """
    return context.anonymous or context.peer.trust == "anonymous"


def _plain_call(context: MediaContext) -> Relay:
    """Return the media of a call to a plain domain: not encrypted, and never told as secured."""
    from media.plain_call import PlainCall

    return PlainCall(
        phone_host=context.phone_host,
        phone_allowed=context.phone_allowed,
        far_host=own_address_towards(context.peer_host),
        peer_host=context.peer_host,
        may_reach=context.may_reach,
        anonymous=context.anonymous,
    )


class GatewayCallMedia:
    """A `media.CallMedia` or `Relay` in the gateway's words: the same methods, with the gateway's own refusal."""

    def __init__(self, media: CallMedia | Relay) -> None:
        self._media = media

    async def offer_from_phone(self, sdp: bytes) -> bytes:
        """Turn the phone's offer into the offer for the mesh."""
        with refusals():
            return await self._media.offer_from_phone(sdp)

    async def answer_from_mesh(self, sdp: bytes) -> bytes:
        """Turn the peer's answer into the answer for the phone."""
        with refusals():
            return await self._media.answer_from_mesh(sdp)

    async def offer_from_mesh(self, sdp: bytes) -> bytes:
        """Turn the peer's offer into the offer for the phones."""
        with refusals():
            return await self._media.offer_from_mesh(sdp)

    async def answer_from_phone(self, sdp: bytes) -> bytes:
        """Turn a phone's answer into the answer for the mesh."""
        with refusals():
            return await self._media.answer_from_phone(sdp)

    def secure_offer(self, sdp: bytes, said: bytes, *, by_dtls: bool, rings_alone: bool) -> bytes:
        """Turn an offer for the phones into one for a phone that has to encrypt."""
        with refusals():
            return self._media.secure_offer(sdp, said, by_dtls=by_dtls, rings_alone=rings_alone)

    def transport_fragment(self) -> bytes | None:
        """Return our transport, or None when there is none to send."""
        return self._media.transport_fragment()

    async def transport_from_mesh(self, fragment: bytes) -> None:
        """Take the peer's transport."""
        with refusals():
            await self._media.transport_from_mesh(fragment)

    async def transport_renewal(self) -> bytes:
        """Wait until the peer has to know our transport anew; return it."""
        return await self._media.transport_renewal()

    async def renew_transport(self, fragment: bytes) -> bytes:
        """Take the peer's transport in the middle of the call; return ours."""
        with refusals():
            return await self._media.renew_transport(fragment)

    async def connected(self) -> None:
        """Wait until sound may go both ways."""
        await self._media.connected()

    async def failed(self) -> tuple[int, str]:
        """Wait until the media has failed for good."""
        return await self._media.failed()

    async def aclose(self) -> None:
        """Free everything."""
        await self._media.aclose()


class MediaService:
    """A softphone of the media package as the gateway's `Service`."""

    def __init__(self, phone: EchoPhone | WavPhone) -> None:
        self._phone = phone

    async def offer(self) -> bytes:
        """Return the offer of a call that the softphone places."""
        with refusals():
            return await self._phone.offer()

    async def answer(self, offer: bytes) -> bytes:
        """Return the softphone's answer."""
        with refusals():
            return await self._phone.answer(offer)

    async def answered(self, answer: bytes) -> None:
        """Take the answer to its offer."""
        with refusals():
            await self._phone.answered(answer)

    async def aclose(self) -> None:
        """Free its sockets, and write its recording."""
        await self._phone.aclose()


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what media refuses into what the gateway understands."""
    from media.errors import MediaRefused

    try:
        yield
    except MediaRefused as refused:
        raise gateway_ports.MediaRefused(refused.status, refused.reason) from refused


def own_address_towards(host: str) -> str:
    """Return our address as ``host`` sees it. Nothing is sent: the kernel only chooses the route."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((host, DISCARD_PORT))
        address: str = probe.getsockname()[0]
        return address


def mesh_addresses(peer_host: str) -> list[str]:
    """Return the addresses to gather candidates on: loopback only for a peer on this machine."""
    if is_loopback(peer_host):
        return [own_address_towards(peer_host)]
    return usable_addresses()
