"""A phone that encrypts up to its node under keys of its description (SDES), in place of one that is plain."""

import asyncio
import re
import secrets
from dataclasses import replace

from media.aiortc_adapter.srtp import SUITES, Srtp
from media.protocol.sdes import KEY_AND_SALT_BYTES, Crypto, usable

from .call_pair import Phone


class SrtpPhone(Phone):
    """Offers its suites in this order; as callee it takes the first one that it is offered and has."""

    def __init__(self, *suites: str, mux: bool = False) -> None:
        super().__init__()
        self.suites = suites or ("AES_CM_128_HMAC_SHA1_80",)
        self.mux = mux
        self.keys: tuple[Crypto, ...] = ()
        self.outbound: Srtp | None = None
        self.inbound: Srtp | None = None
        self.outbound_key = self.inbound_key = ("", b"")
        self.new_keys()

    def new_keys(self) -> None:
        """Draw other keys for the next offer."""
        self.keys = tuple(
            Crypto(tag, suite, secrets.token_bytes(KEY_AND_SALT_BYTES[suite]))
            for tag, suite in enumerate(self.suites, 1)
        )

    def description(
        self, keys: tuple[Crypto, ...], *, direction: str = "sendrecv", version: int = 1
    ) -> bytes:
        lines = [key.line() for key in keys] + (["a=rtcp-mux"] if self.mux else [])
        plain = self.sdp(direction=direction, extra="".join(f"{line}\r\n" for line in lines), version=version)
        return plain.replace(b"RTP/AVP", b"RTP/SAVP")

    def offer(self, *, direction: str = "sendrecv", version: int = 1) -> bytes:
        return self.description(self.keys, direction=direction, version=version)

    def answered(self, sdp: bytes) -> None:
        """Take the answer to our offer."""
        self.listen_to(sdp)
        (theirs,) = keys_in(sdp)
        own = next(key for key in self.keys if key.tag == theirs.tag)
        assert own.suite == theirs.suite
        self._use(own, theirs)

    def answer(self, sdp: bytes, *, direction: str = "sendrecv") -> bytes:
        """Take an offer, and return our answer."""
        assert b" RTP/SAVP " in sdp
        self.listen_to(sdp)
        theirs = next(key for key in keys_in(sdp) if key.suite in self.suites)
        own = replace(next(key for key in self.keys if key.suite == theirs.suite), tag=theirs.tag)
        self._use(own, theirs)
        return self.description((own,), direction=direction)

    def under_the_tag_of(self, offer: bytes) -> Crypto:
        """Return our key as the answer to a re-offer of one key has it."""
        (theirs,) = keys_in(offer)
        return replace(next(key for key in self.keys if key.suite == theirs.suite), tag=theirs.tag)

    def _use(self, own: Crypto, theirs: Crypto) -> None:
        if self.outbound_key != (own.suite, own.key):
            self.outbound = Srtp(SUITES[own.suite], own.key, outbound=True)
        if self.inbound_key != (theirs.suite, theirs.key):
            self.inbound = Srtp(SUITES[theirs.suite], theirs.key, outbound=False)
        self.outbound_key, self.inbound_key = (own.suite, own.key), (theirs.suite, theirs.key)

    def sealed(self, packet: bytes) -> bytes:
        assert self.outbound is not None
        sealed = self.outbound.process(packet)
        assert sealed is not None
        return sealed

    def say(self, packet: bytes) -> None:
        """Send RTP, encrypted."""
        self.send(self.sealed(packet))

    def say_rtcp(self, packet: bytes) -> None:
        """Send RTCP, encrypted, where it belongs."""
        (self.send if self.mux else self.send_rtcp)(self.sealed(packet))

    async def hears(self, packet: bytes, *, seconds: float = 3) -> None:
        """Wait until exactly that packet has come next, encrypted."""
        assert await self.next(seconds=seconds) == packet

    async def next(self, *, seconds: float = 3) -> bytes:
        """Return what the next packet says."""
        return self.opened(await _within(self.heard, seconds))

    async def next_rtcp(self, *, seconds: float = 3) -> bytes:
        """Return what the next RTCP packet says."""
        return self.opened(await _within(self.heard if self.mux else self.heard_rtcp, seconds))

    def opened(self, data: bytes) -> bytes:
        assert self.inbound is not None
        packet = self.inbound.process(data)
        assert packet is not None, f"not under our keys: {self.inbound.status}"
        assert packet not in data
        return packet


async def _within(queue: asyncio.Queue[bytes], seconds: float) -> bytes:
    async with asyncio.timeout(seconds):
        return await queue.get()


def keys_in(sdp: bytes) -> tuple[Crypto, ...]:
    """Return the keys in a description of one section."""
    return usable(re.findall(r"^a=crypto:(.*)\r$", sdp.decode(), re.MULTILINE))
