"""The m= sections of a call: the two legs of each, and the bridge between them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .bridge import Bridge
from .mesh_leg import MeshLeg
from .phone_keys import PhoneKeys, Take
from .phone_leg import PhoneLeg
from .protocol import fragment
from .protocol.phone_side import OwnPort, PhoneMedia
from .protocol.quality import Reception
from .protocol.transport import Setup, Transport


@dataclass
class Section:
    """`is_live` says that both sides have it on."""

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

    def settle(self) -> None:
        """Our phone's latest offer is being answered."""
        for section in self.values():
            section.keys.settle(is_on=section.is_live)

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
