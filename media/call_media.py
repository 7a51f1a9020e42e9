"""The media of one call: phone legs, mesh legs and the bridges between them, behind offers and answers."""

from collections.abc import Callable, Sequence
from functools import partial

from .aiortc_adapter.dtls import CallCertificate
from .assurance import Assurance, CallIdentity
from .bridge import Bridge, Gate
from .errors import MediaError, MediaRefused
from .events import MediaEvent, MediaFailed, MediaStatistics
from .hearing_watch import HearingWatch
from .life import Life
from .mesh_leg import MeshLeg
from .parties import Parties
from .phone_association import DtlsCall
from .phone_keys import PhoneKeys, encrypted
from .phone_leg import PhoneLeg
from .phones_watch import PhonesWatch
from .ports import Endorser, Retained
from .protocol import fragment
from .protocol.far_keys import with_keys_of_phones
from .protocol.mesh_side import for_mesh, mesh_transports
from .protocol.nameless import nameless, nameless_rtcp
from .protocol.phone_side import PhoneMedia, for_phone, phone_media, without_dtls
from .protocol.quality import clock_rate
from .protocol.sdp import SessionDescription
from .protocol.transcript import Role
from .protocol.transport import Setup, Transport
from .quality_watch import QualityWatch
from .renewal import Renewal
from .section import Section, Sections
from .sockets import LOOP_SOCKETS, Sockets
from .statistics import collect
from .zrtp_relay import ZrtpRelay

__all__ = ["CallMedia", "Parties", "Role"]


class CallMedia:
    """The media of one call. Start `run()` at once in a supervised task; `aclose()` ends and frees it.

    The four offer and answer methods take and return SDP bytes, raise `MediaRefused` (488 and a sentence) and
    are called one at a time. `run()` owns every task of the call; it returns when the media has been closed
    or has failed, and does not raise for what a peer or a phone does. The caller's node is ICE controlling
    and DTLS server on every section, whoever offers.

    `anonymous` keeps back what tells whose phone ours is: names in descriptions and in RTCP, its ZRTP, which
    knows a phone again, and its keys: in RTCP that is encrypted from end to end nobody could look for names.
    `early` lets addresses out before the call is answered, and ICE and DTLS start while it rings.
    `mute_until_confirmed` keeps both directions silent until the peer's signature has been checked.
    `mesh_addresses` are the local IP addresses for ICE. `phone_allowed` are the addresses that RTP is taken
    from and sent to on the phone's side. `certificate` is a fresh one, used for no other call.
    """

    def __init__(
        self,
        *,
        role: Role,
        call_id: str,
        parties: Parties,
        endorser: Endorser,
        phone_host: str,
        phone_allowed: frozenset[str],
        mesh_addresses: Sequence[str],
        early: bool,
        mute_until_confirmed: bool,
        on_event: Callable[[MediaEvent], None],
        anonymous: bool = False,
        peer_name: str = "the other side",
        retained: Retained | None = None,
        sockets: Sockets = LOOP_SOCKETS,
        certificate: CallCertificate | None = None,
    ) -> None:
        self._anonymous = anonymous
        self._sockets = sockets
        self._call_id = call_id
        self._is_caller = role == "caller"
        self._setup: Setup = "passive" if self._is_caller else "active"
        self._phone_host = phone_host
        self._phone_allowed = phone_allowed
        self._mesh_addresses = tuple(mesh_addresses)
        self._early = early
        self._on_event = on_event
        self._peer_name = peer_name
        self._life = Life()
        self._certificate = certificate or CallCertificate.generate()
        self._assurance = Assurance(
            CallIdentity(call_id, role, parties),
            self._certificate,
            endorser,
            mute_until_confirmed=mute_until_confirmed,
            start=self._life.start,
            on_event=on_event,
            retained=retained,
        )
        self._life.at_failure = partial(_tell_failure, call_id, self._assurance.gate, on_event)
        self._quality = QualityWatch(call_id, on_event)
        self._life.start(self._quality.run)
        self._phones_dtls = DtlsCall(self._life.start)
        self._sections = Sections()
        self._renewal = Renewal(call_id, self._sections, on_event)
        self._offer: SessionDescription | None = None
        self._answered = False
        self._revealed = False
        self._phones = PhonesWatch(call_id, on_event)

    async def run(self) -> None:
        """Own the tasks of this call until `aclose()`, or until the media has failed."""
        await self._life.run(self._release)

    async def offer_from_phone(self, sdp: bytes) -> bytes:
        """Turn the phone's offer or re-offer into the offer for the mesh."""
        described = self._parse(sdp)
        phone = phone_media(described)
        offer = without_dtls(described, phone)
        await self._open_sections(offer, phone)
        self._sections.aim(phone, PhoneKeys.take_offer)
        self._offer = offer
        self._revealed = self._early or self._answered or not self._is_caller
        return self._for_mesh(offer, phone, "actpass")

    async def answer_from_mesh(self, sdp: bytes) -> bytes:
        """Turn the peer's answer into the answer for the phone."""
        answer = self._parse_answer(sdp)
        remote = mesh_transports(answer)
        chosen = self._sections.chosen(answer, remote)
        await self._take(remote, ("active",) if self._is_caller else ("passive",))
        self._answer(remote)
        self._sections.settle(chosen)
        self._phones.see_srtp(is_end_to_end=self._sections.are_end_to_end)
        ports = [self._sections.own_port(index, side) for index, side in enumerate(remote)]
        return bytes(for_phone(answer, self._phone_host, ports))

    async def offer_from_mesh(self, sdp: bytes) -> bytes:
        """Turn the peer's offer or re-offer into the offer for our phones."""
        offer = self._parse(sdp)
        remote = mesh_transports(offer)
        await self._open_sections(offer, remote)
        await self._take(remote, ("actpass", "active" if self._is_caller else "passive"))
        self._sections.hear(offer, remote)
        self._offer = offer
        ports = [self._sections.own_port(index, side, offer=True) for index, side in enumerate(remote)]
        return bytes(for_phone(offer, self._phone_host, ports))

    async def answer_from_phone(self, sdp: bytes) -> bytes:
        """Turn a phone's answer into the answer for the mesh; the latest phone to answer gets the media."""
        described = self._parse_answer(sdp)
        phone = phone_media(described)
        answer = without_dtls(described, phone, self._offer)
        if any(side and index not in self._sections for index, side in enumerate(phone)):
            raise MediaRefused("The phone answers a section that was not offered")
        self._sections.aim(phone, PhoneKeys.take_answer)
        self._revealed = True
        self._answer(phone)
        self._phones.see_srtp(is_end_to_end=self._sections.are_end_to_end)
        return self._for_mesh(answer, phone, self._setup)

    def secure_offer(
        self, sdp: bytes, said: bytes, *, by_dtls: bool = False, rings_alone: bool = False
    ) -> bytes:
        """Turn an offer for our phones into one for a phone that has to encrypt, and has `said` this last.

        One that `rings_alone` may do so from end to end.
        """
        keys = (section.keys for section in self._sections.values())
        return encrypted(sdp, keys, said, by_dtls=by_dtls, rings_alone=rings_alone)

    def transport_fragment(self) -> bytes | None:
        """Return our transport as application/trickle-ice-sdpfrag, or None when it must not go out that way.

        As callee: for the first 18x, if `early`; ICE and DTLS begin with it. As caller: for the ACK, if the
        offer held no candidates.
        """
        due = self._answered and not self._revealed if self._is_caller else self._early
        if not due or not self._sections:
            return None
        self._revealed = True
        for _, section in self._sections.live():
            section.mesh.start(answered=self._answered)
        return self._sections.fragment(self._setup)

    async def transport_from_mesh(self, data: bytes) -> None:
        """Take the peer's transport from its first 18x (we are caller), its ACK (we are callee), or its answer."""
        transports = await self._take_fragment(data)
        if self._answered or (self._early and self._is_caller):
            for index in transports:
                self._sections[index].mesh.start(answered=self._answered)
        self._renewal.settle()

    async def _take_fragment(self, data: bytes, *, may_renew: bool = False) -> dict[int, Transport]:
        self._life.check_open()
        transports = fragment.parse(data)
        if not set(transports) <= set(self._sections):
            raise MediaRefused("The other node's transport names a section that was not offered", status=400)
        remote = [transports.get(index) for index in range(max(transports) + 1)]
        await self._take(remote, ("active",) if self._is_caller else ("passive",), may_renew=may_renew)
        return transports

    async def transport_renewal(self) -> bytes:
        """Wait until the peer has to know our transports anew; return them, to be sent in the dialog.

        They are of the next ICE session, under the same DTLS. Until `transport_from_mesh` has the answer it stays due.
        """
        await self._renewal.due()
        return self._sections.fragment(self._setup, is_next=True)

    async def renew_transport(self, data: bytes) -> bytes:
        """Take the peer's next transports; return ours. Raise `MediaRefused`: 491 too early, 503 too often."""
        if not self._sections.are_connected:
            raise MediaRefused("The two nodes are not connected yet", status=491)
        self._renewal.admit()
        await self._take_fragment(data, may_renew=True)
        self._renewal.settle()
        return self._sections.fragment(self._setup)

    async def move(self, addresses: Sequence[str]) -> None:
        """Go on from these local addresses: same keys, same confirmation, no gap while the old path holds."""
        have_changed = set(addresses) != set(self._mesh_addresses)
        self._mesh_addresses = tuple(addresses)
        for section in list(self._sections.values()):
            await section.mesh.move(addresses)
        if have_changed:
            self._renewal.ask()

    async def connected(self) -> None:
        """Wait until sound may go both ways: ICE and DTLS have been through, and nothing is muted.

        Each side's Finished answers what the other has sent, so keys prove the path in both directions. Called when
        the call is answered: our phone, if it does DTLS with us, is expected to begin as soon as it hears of that.
        """
        if not self._is_caller:
            self._phones_dtls.expected.set()
        await self._assurance.passable.wait()
        self._phones_dtls.expected.set()

    async def failed(self) -> tuple[int, str]:
        """Wait until the media has failed for good; return (status, reason)."""
        return await self._life.failed()

    def statistics(self) -> MediaStatistics:
        """Return what has gone through so far."""
        return collect((one.phone, one.mesh.ice, one.bridge) for one in self._sections.values())

    async def aclose(self) -> None:
        """Free tasks, sockets and keys. May be called in any state, more than once."""
        self._assurance.gate.close()
        await self._life.aclose(self._release)

    def _parse(self, sdp: bytes) -> SessionDescription:
        self._life.check_open()
        return SessionDescription.parse(sdp)

    def _for_mesh(self, said: SessionDescription, phone: Sequence[PhoneMedia | None], setup: Setup) -> bytes:
        ours = self._sections.transports(setup, phone, revealed=self._revealed)
        described = for_mesh(nameless(said) if self._anonymous else said, phone, ours)
        return bytes(with_keys_of_phones(described, self._sections.shared(phone)))

    def _parse_answer(self, sdp: bytes) -> SessionDescription:
        answer = self._parse(sdp)
        offered = [section.media for section in self._offer.media] if self._offer else []
        if [section.media for section in answer.media] != offered:
            raise MediaRefused("The answer does not fit the offer")
        for index, section in self._sections.items():
            section.reception.clock_rate = clock_rate(answer.media[index])
        return answer

    async def _open_sections(
        self, offer: SessionDescription, sides: Sequence[PhoneMedia | Transport | None]
    ) -> None:
        """Bind what the sections need that are new and on."""
        for index, (section, side) in enumerate(zip(offer.media, sides, strict=True)):
            if side is None or index in self._sections:
                continue
            mesh = MeshLeg(
                is_caller=self._is_caller,
                certificate=self._certificate,
                addresses=self._mesh_addresses,
                peer_name=self._peer_name,
                on_keyed=self._keyed,
                on_path=self._renewal.take,
                sockets=self._sockets,
            )
            phone = PhoneLeg(self._phone_host, self._phone_allowed, self._sockets)
            try:
                await mesh.open()
                await phone.open()
            except MediaError as error:
                await mesh.aclose()
                raise MediaRefused(error.reason, status=error.status) from error
            keys = PhoneKeys(phone, self._phones_dtls, may_share=not self._anonymous)
            opened = self._sections[index] = Section(section.media, phone, keys, mesh)
            self._life.start(partial(self._guard, opened))

    async def _guard(self, section: Section) -> None:
        """Run a leg; its end is the call's, if the section is on."""
        try:
            await section.mesh.run()
        except* MediaError as errors:
            if section.is_live:
                raise
            section.phone.dropped["leg_lost_while_off"] = len(errors.exceptions)

    async def _take(
        self, remote: Sequence[Transport | None], setups: Sequence[Setup], *, may_renew: bool = False
    ) -> None:
        """Take the peer's transports: all of one certificate, each in its role, none changed."""
        sides = [(index, side) for index, side in enumerate(remote) if side is not None]
        known = {one.mesh.remote.fingerprint for one in self._sections.values() if one.mesh.remote}
        if len(known | {side.fingerprint for _, side in sides}) > 1:
            raise MediaRefused("The other node shows more than one certificate in one call")
        if any(side.setup not in setups for _, side in sides):
            raise MediaRefused("The other node takes the wrong side of the encrypted connection")
        if any(index not in self._sections for index, _ in sides):
            raise MediaRefused("The answer does not fit the offer")
        for index, side in sides:
            await self._sections[index].mesh.set_remote(side, may_renew=may_renew)

    def _answer(self, sides: Sequence[PhoneMedia | Transport | None]) -> None:
        self._answered = True
        for index, section in self._sections.items():
            section.is_live = index < len(sides) and sides[index] is not None
            if section.is_live:
                section.mesh.start(answered=True)

    def _keyed(self, leg: MeshLeg) -> None:
        section = next(one for one in self._sections.values() if one.mesh is leg)
        assert leg.session is not None
        section.bridge = Bridge(
            section.phone,
            leg.ice,
            *leg.session.srtp(),
            self._assurance.gate,
            section.reception,
            nameless_rtcp if self._anonymous else bytes,
        )
        section.bridge.start()
        relay = ZrtpRelay(section.phone, leg.session, self._assurance.gate, self._phones.see_zrtp)
        section.phone.zrtp_sink, leg.beside = relay.from_phone, relay.from_mesh
        if self._anonymous:
            section.phone.zrtp_sink = None
        self._life.start(relay.run)
        if section.media == "audio":
            self._quality.watch(section.bridge)
            hearing = HearingWatch(self._call_id, section.bridge, leg.session, self._on_event)
            leg.beside = lambda data: relay.from_mesh(data) or hearing.from_mesh(data)
            self._life.start(hearing.run)
        self._assurance.keyed(leg)

    async def _release(self) -> None:
        self._quality.end()
        await self._sections.aclose()


def _tell_failure(
    call_id: str, gate: Gate, on_event: Callable[[MediaEvent], None], error: MediaError
) -> None:
    gate.close()
    on_event(MediaFailed(call_id, error.status, error.reason))
