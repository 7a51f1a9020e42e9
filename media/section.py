"""The m= sections of a call: the two legs of each, and the bridge between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .bridge import Bridge
from .mesh_leg import MeshLeg
from .phone_keys import PhoneKeys, Take
from .phone_leg import PhoneLeg
from .protocol import fragment
from .protocol.far_keys import chosen_key, offered_keys
from .protocol.phone_side import OwnPort, PhoneMedia
from .protocol.quality import Reception
from .protocol.sdes import Crypto
from .protocol.sdp import SessionDescription
from .protocol.transport import Setup, Transport


@dataclass
class Section:
    """`is_live` says that both sides have it on; `may_share` that phones may encrypt from end to end."""

    media: str
    phone: PhoneLeg
    keys: PhoneKeys
    mesh: MeshLeg
    bridge: Bridge | None = None
    is_live: bool = True
    reception: Reception = field(default_factory=Reception)


class Sections(dict[int, Section]):
    """All sections of a call that a bridge carries, by their index."""

    def live(self) -> list[tuple[int, Section]]:
        """Return those that are on, in order."""
        return [(index, one) for index, one in sorted(self.items()) if one.is_live]

    @property
    def are_connected(self) -> bool:
        """Whether those that are on have been through ICE and DTLS."""
        live = self.live()
        return bool(live) and all(one.mesh.path for _, one in live)

    @property
    def are_renewing(self) -> bool:
        """Whether the peer has not answered yet to our transports of the next ICE session."""
        return any(one.mesh.ice.next_credentials for one in self.values())

    def transports(
        self, setup: Setup, sides: Sequence[PhoneMedia | None], *, revealed: bool
    ) -> list[Transport | None]:
        """Return our transport of each section, None for one that is off."""
        return [
            self[index].mesh.transport(setup, revealed=revealed) if side else None
            for index, side in enumerate(sides)
        ]

    def fragment(self, setup: Setup, *, is_next: bool = False) -> bytes:
        """Return our transports as application/trickle-ice-sdpfrag; `is_next`: those of the next ICE session."""
        return fragment.build(
            (index, one.media, one.mesh.transport(setup, revealed=True, is_next=is_next))
            for index, one in self.live()
        )

    def aim(self, sides: Sequence[PhoneMedia | None], take: Take) -> None:
        """Send where our phone's description says; `take` is told how it encrypts."""
        for index, section in self.items():
            side = sides[index] if index < len(sides) else None
            take(section.keys, side)
            if side is not None:
                section.phone.aim(side)

    @property
    def are_end_to_end(self) -> bool:
        """Whether all that is on is the phones' own SRTP."""
        live = self.live()
        return bool(live) and all(one.keys.crypto.is_end_to_end for _, one in live)

    def shared(self, sides: Sequence[PhoneMedia | None]) -> list[tuple[Crypto, ...]]:
        """Return what the far phone is told of our phone's keys, of each section."""
        return [self[index].keys.crypto.shared if side else () for index, side in enumerate(sides)]

    def hear(self, offer: SessionDescription, sides: Sequence[Transport | None]) -> None:
        """Take the far phone's keys, for what our phones are offered."""
        for index, side in enumerate(sides):
            if side is not None:
                self[index].keys.crypto.hear(offered_keys(offer.media[index]))

    def chosen(self, answer: SessionDescription, sides: Sequence[Transport | None]) -> dict[int, Crypto]:
        """Return under which keys the far phone has answered ours; raise `MediaRefused` when it cannot have."""
        keys = {index: chosen_key(answer.media[index]) for index, side in enumerate(sides) if side}
        for index, key in keys.items():
            if index in self:
                self[index].keys.crypto.check_chosen(key)
        return {index: key for index, key in keys.items() if key is not None}

    def settle(self, chosen: Mapping[int, Crypto]) -> None:
        """Our phone's latest offer is being answered, by the far phone where it has `chosen` a key."""
        for index, section in self.items():
            section.keys.settle(chosen.get(index), is_on=section.is_live)

    async def aclose(self) -> None:
        """Free all sockets and keys."""
        for section in self.values():
            await section.mesh.aclose()
            await section.phone.aclose()
            section.keys.close()

    def own_port(self, index: int, side: Transport | None, *, offer: bool = False) -> OwnPort | None:
        """Return where our phone is to send, None for a section that is off."""
        if side is None:
            return None
        return self[index].keys.own_port([one.keys for one in self.values()], is_offer=offer)
