"""How one section is encrypted between a phone and its node: by SDES, by DTLS, or not at all."""

from collections.abc import Callable, Collection, Iterable

from .phone_association import DtlsCall
from .phone_crypto import PhoneCrypto, own_keys, secured
from .phone_dtls import PhoneDtls, speaks_dtls, with_associations
from .phone_leg import PhoneLeg
from .protocol.phone_side import OwnPort, PhoneMedia
from .protocol.sdes import Crypto


class PhoneKeys:
    """One section's. Its phone chooses by what it describes; who has encrypted may not stop, or change the way."""

    def __init__(self, phone: PhoneLeg, call: DtlsCall, *, may_share: bool = False) -> None:
        self.crypto = PhoneCrypto(phone, may_share=may_share)
        self.dtls = PhoneDtls(phone, call)
        self._phone = phone

    def take_offer(self, side: PhoneMedia | None) -> None:
        """Take what the phone offers; it counts from its answer on (`settle`). Raise `MediaRefused`."""
        if side is None:
            return
        self.dtls.check(side.dtls, is_answer=False)
        self.crypto.take_offer(side.keys)
        self.dtls.take_offer(side)

    def settle(self, far: Crypto | None = None, *, is_on: bool) -> None:
        """The phone's latest offer is being answered (see `PhoneCrypto.settle`), and the section is on or off."""
        if is_on:
            self.crypto.settle(far)
            self.dtls.settle()
        else:
            self.dtls.stop()

    def take_answer(self, side: PhoneMedia | None) -> None:
        """Take what the phone has chosen, None for a section that is off; raise `MediaRefused` when it may not."""
        if side is None:
            self.dtls.stop()
            return
        self.dtls.check(side.dtls, is_answer=True)
        if side.dtls is None:
            self.dtls.end()
            self.crypto.take_answer(side.keys)
        else:
            self.crypto.take_answer(())
            self.dtls.take_answer(side)

    def own_port(self, of_the_call: Collection["PhoneKeys"], *, is_offer: bool) -> OwnPort:
        """Return what the phone that is in the call is told: a section more is encrypted as the others are."""
        port, mux = self._phone.port, self._phone.mux and not is_offer
        if not is_offer and self.dtls.is_used:
            return OwnPort(port, mux, dtls=self.dtls.answer())
        if is_offer and any(one.dtls.is_used for one in of_the_call):
            self.dtls.insists = True
            return OwnPort(port, mux=True, dtls=self.dtls.offer())
        return OwnPort(
            port, mux, own_keys(self.crypto, (one.crypto for one in of_the_call), is_offer=is_offer)
        )

    def close(self) -> None:
        """Forget all keys."""
        self.crypto.close()
        self.dtls.close()


Take = Callable[[PhoneKeys, PhoneMedia | None], None]


def encrypted(
    sdp: bytes, keys: Iterable[PhoneKeys], said: bytes, *, by_dtls: bool, rings_alone: bool = False
) -> bytes:
    """Turn an offer for a phone into one of SRTP alone, as the phone does it that has `said` this last.

    One that has said nothing yet is offered DTLS if its keys are to come `by_dtls`, else SDES.
    """
    sections = list(keys)
    if speaks_dtls(said) if said else by_dtls:
        return with_associations(sdp, [one.dtls for one in sections], said)
    return secured(sdp, [one.crypto for one in sections], said, rings_alone=rings_alone)
