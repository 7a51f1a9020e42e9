"""A browser made to look like a plain phone: WebRTC towards the browser, RTP on loopback towards the call's media."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .aiortc_adapter.dtls import CallCertificate
from .bridge import Bridge, Gate
from .browser_leg import BrowserLeg
from .errors import MediaError, MediaRefused
from .events import MediaStatistics
from .life import Life
from .phone_leg import RELATCH_SECONDS, PhoneLeg
from .protocol.browser_side import browser_transports, for_browser, for_plain
from .protocol.phone_side import OwnPort, PhoneMedia, plain_media
from .protocol.sdp import SessionDescription
from .protocol.transport import Setup, Transport
from .sockets import Address
from .statistics import collect

LOOPBACK = "127.0.0.1"


class PlainLeg(PhoneLeg):
    """The plain side: it sends where the description says, and nowhere else.

    After a transfer the former call sends for a moment still: it must not draw the sound back to itself.
    """

    @property
    def usual_source(self) -> Address | None:
        """Where RTP comes from that is taken without a second look."""
        return self._rtp_remote

    def _is_latched(self, source: Address) -> bool:
        """Take what comes from the described port, and from others only while nothing comes from there."""
        self.look()
        now = self._now()
        if source == self._rtp_remote:
            self._last_heard = now
        elif now - self._last_heard <= RELATCH_SECONDS:
            self.drop("phone_foreign_source")
            return False
        return True


@dataclass
class _Section:
    plain: PlainLeg
    browser: BrowserLeg
    host: str
    bridge: Bridge | None = None


class BrowserPhone:
    """The media of one call of a browser. Start `run()` at once in a supervised task; `aclose()` frees it.

    The four offer and answer methods take and return SDP bytes, raise `MediaRefused` and are called one at a
    time. Payloads pass as they are: encrypted once more towards the browser, never decoded. `towards` gives
    our own address as a host sees it. `media_failed` is called once, with status and reason, when the
    browser's connection is lost or never stands.
    """

    def __init__(
        self,
        media_failed: Callable[[int, str], None],
        *,
        towards: Callable[[str], str] = lambda _host: LOOPBACK,
        addresses: Sequence[str] = (LOOPBACK,),
    ) -> None:
        self._towards = towards
        self._addresses = tuple(addresses)
        self._certificate = CallCertificate.generate()
        self._life = Life()
        self._life.at_failure = lambda error: media_failed(error.status, error.reason)
        self._sections: dict[int, _Section] = {}
        self._offer: SessionDescription | None = None

    async def run(self) -> None:
        """Own the tasks of this call until `aclose()`, or until the browser is lost."""
        await self._life.run(self._release)

    async def offer_from_browser(self, sdp: bytes) -> bytes:
        """Turn the browser's offer or re-offer into a plain one."""
        offer = self._parse(sdp)
        remote = browser_transports(offer)
        hosts = [None if side is None else (LOOPBACK, LOOPBACK) for side in remote]
        await self._open_sections(hosts, controlling=False)
        await self._take(remote, ("actpass", "active"))
        self._offer = offer
        return self._for_plain(offer, remote)

    async def answer_to_browser(self, sdp: bytes) -> bytes:
        """Turn the plain answer into the browser's; the latest answer gets the sound."""
        answer = self._parse_answer(sdp)
        plain = plain_media(answer)
        self._check_fits(plain)
        self._aim(plain)
        self._start(plain)
        return bytes(for_browser(answer, plain, self._transports("passive", plain)))

    async def offer_to_browser(self, sdp: bytes) -> bytes:
        """Turn a plain offer or re-offer into the browser's."""
        offer = self._parse(sdp)
        plain = plain_media(offer)
        theirs = [None if side is None else side.host or LOOPBACK for side in plain]
        hosts = [None if host is None else (self._towards(host), host) for host in theirs]
        await self._open_sections(hosts, controlling=True)
        self._aim(plain)
        self._offer = offer
        return bytes(for_browser(offer, plain, self._transports("actpass", plain)))

    async def answer_from_browser(self, sdp: bytes) -> bytes:
        """Turn the browser's answer into a plain one."""
        answer = self._parse_answer(sdp)
        remote = browser_transports(answer)
        await self._take(remote, ("active",))
        self._start(remote)
        assert self._offer is not None
        return self._for_plain(answer, remote, [section.profile for section in self._offer.media])

    def statistics(self) -> MediaStatistics:
        """Return what has gone through: `to_mesh` is what the browser heard, `to_phone` what it said."""
        return collect((one.plain, one.browser.ice, one.bridge) for one in self._sections.values())

    def protection_profiles(self) -> tuple[str, ...]:
        """Return the SRTP protection profile of each connected section, by OpenSSL's name."""
        sessions = (one.browser.session for one in self._sections.values() if one.bridge is not None)
        return tuple(session.profile for session in sessions if session is not None)

    async def aclose(self) -> None:
        """Free tasks, sockets and keys. May be called in any state, more than once."""
        await self._life.aclose(self._release)

    def _parse(self, sdp: bytes) -> SessionDescription:
        self._life.check_open()
        return SessionDescription.parse(sdp)

    def _parse_answer(self, sdp: bytes) -> SessionDescription:
        answer = self._parse(sdp)
        offered = [section.media for section in self._offer.media] if self._offer else []
        if [section.media for section in answer.media] != offered:
            raise MediaRefused("The answer does not fit the offer")
        return answer

    async def _open_sections(self, hosts: Sequence[tuple[str, str] | None], *, controlling: bool) -> None:
        """Bind what the sections need that are new and on; `hosts` are both addresses on the plain side, ours first."""
        for index, pair in enumerate(hosts):
            if pair is None or index in self._sections:
                continue
            host = pair[0]
            browser = BrowserLeg(
                controlling=controlling,
                certificate=self._certificate,
                addresses=self._addresses,
                on_keyed=self._keyed,
            )
            plain = PlainLeg(host, frozenset({LOOPBACK, *pair}))
            try:
                await browser.open()
                await plain.open()
            except MediaError as error:
                await browser.aclose()
                raise MediaRefused(error.reason, status=error.status) from error
            self._sections[index] = _Section(plain, browser, host)
            self._life.start(browser.run)

    async def _take(self, remote: Sequence[Transport | None], setups: Sequence[Setup]) -> None:
        self._check_fits(remote)
        for index, side in enumerate(remote):
            if side is None:
                continue
            if side.setup not in setups:
                raise MediaRefused("The browser takes the wrong side of the encrypted connection")
            await self._sections[index].browser.set_remote(side)

    def _check_fits(self, sides: Sequence[object | None]) -> None:
        if any(side is not None and index not in self._sections for index, side in enumerate(sides)):
            raise MediaRefused("The answer does not fit the offer")

    def _aim(self, plain: Sequence[PhoneMedia | None]) -> None:
        for index, side in enumerate(plain):
            if side is not None:
                self._sections[index].plain.aim(side)

    def _start(self, sides: Sequence[object | None]) -> None:
        for index, side in enumerate(sides):
            if side is not None:
                self._sections[index].browser.start()

    def _transports(self, setup: Setup, plain: Sequence[PhoneMedia | None]) -> list[Transport | None]:
        return [
            self._sections[index].browser.transport(setup) if side else None
            for index, side in enumerate(plain)
        ]

    def _for_plain(
        self,
        description: SessionDescription,
        remote: Sequence[Transport | None],
        profiles: Sequence[str] = (),
    ) -> bytes:
        ports = [
            OwnPort(self._sections[index].plain.port) if side else None for index, side in enumerate(remote)
        ]
        host = next(one.host for one in self._sections.values())
        return bytes(for_plain(description, host, ports, profiles))

    def _keyed(self, leg: BrowserLeg) -> None:
        section = next(one for one in self._sections.values() if one.browser is leg)
        assert leg.session is not None
        section.bridge = Bridge(section.plain, leg.ice, *leg.session.srtp(), Gate(is_open=True))
        section.bridge.start()

    async def _release(self) -> None:
        for section in self._sections.values():
            await section.browser.aclose()
            await section.plain.aclose()
