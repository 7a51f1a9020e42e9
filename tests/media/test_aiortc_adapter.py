"""The contract with aiortc, aioice and pylibsrtp: each private seam that the adapter touches."""

import asyncio
import inspect
from importlib.metadata import version
from typing import Any, cast

import aioice
import aioice.ice
import aioice.stun
import pylibsrtp
import pytest
from aiortc import rtcdtlstransport
from aiortc.rtcdtlstransport import SRTP_PROFILES, RTCCertificate, RTCDtlsTransport
from OpenSSL import SSL
from pylibsrtp._binding import ffi, lib

from media.aiortc_adapter import srtp
from media.aiortc_adapter.dtls import CallCertificate, DtlsSession
from media.aiortc_adapter.ice import IceConnection
from media.errors import MediaError
from media.protocol.candidate import Candidate

from .call_pair import LOOPBACK, rtp


@pytest.mark.parametrize(
    ("package", "minor"), [("aiortc", "1.16."), ("aioice", "0.13."), ("pylibsrtp", "1.0.")]
)
def test_the_versions_are_those_that_were_read(package: str, minor: str) -> None:
    assert version(package).startswith(minor)


def parameters(function: Any) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


@pytest.mark.parametrize(
    ("owner", "name", "expected"),
    [
        (aioice.ice.StunProtocol, "datagram_received", ["data", "addr"]),
        (aioice.ice.StunProtocol, "request", ["request", "addr", "integrity_key", "retransmissions"]),
        (aioice.ice.StunProtocol, "send_stun", ["message", "addr"]),
        (aioice.Connection, "check_incoming", ["message", "addr", "protocol"]),
        (aioice.Connection, "check_complete", ["pair"]),
        (aioice.Connection, "data_received", ["data", "component"]),
        (aioice.Connection, "query_consent", []),
        (aioice.Connection, "gather_candidates", []),
        (aioice.Connection, "build_request", ["pair", "nominate"]),
        (aioice.Connection, "close", []),
        (aioice.Connection, "request_received", ["message", "addr", "protocol"]),
        (aioice.Connection, "_add_remote_candidate", ["remote_candidate", "network_host"]),
        (aioice.Connection, "check_state", ["pair", "state"]),
        (aioice.Connection, "check_start_task", ["pair"]),
        (RTCDtlsTransport, "_set_role", ["role"]),
        (RTCDtlsTransport, "_recv_next", []),
        (RTCDtlsTransport, "_send_data", ["data"]),
        (RTCDtlsTransport, "_write_ssl", []),
        (RTCDtlsTransport, "_register_data_receiver", ["receiver"]),
        (RTCCertificate, "_create_ssl_context", ["srtp_profiles"]),
        (rtcdtlstransport.SRTPProtectionProfile, "get_key_and_salt", ["src", "idx"]),
    ],
)
def test_each_seam_has_the_signature_that_was_read(owner: Any, name: str, expected: list[str]) -> None:
    assert parameters(getattr(owner, name)) == expected


async def test_ice_keeps_its_state_where_the_adapter_looks() -> None:
    ice = aioice.Connection(ice_controlling=True)
    for name, kind in {
        "_nominated": dict, "_protocols": list, "_local_candidates": list, "_remote_candidates": list,
        "_local_candidates_start": bool, "_local_candidates_end": bool, "_remote_candidates_end": bool,
        "_check_list": list, "_local_username": str, "_local_password": str, "_closing": bool,
    }.items():  # fmt: skip
        assert isinstance(getattr(ice, name), kind), name
    assert ice._queue.qsize() == 0
    assert hasattr(aioice.Candidate("1", 1, "udp", 1, LOOPBACK, 5, "host"), "_network_host")
    assert aioice.candidate.candidate_priority(1, "host", 65_534) < aioice.candidate.candidate_priority(
        1, "host"
    )
    assert issubclass(aioice.stun.TransactionTimeout, aioice.stun.TransactionError)


async def test_dtls_keeps_its_state_where_the_adapter_looks() -> None:
    class Link:
        role = "controlling"

    dtls = RTCDtlsTransport(Link(), [RTCCertificate.generateCertificate()])  # type: ignore[arg-type]
    for name in ("_ssl", "_task", "_rx_srtp", "_tx_srtp"):
        assert getattr(dtls, name) is None, name
    assert dtls.state == "new"
    assert hasattr(SSL._lib, "SSL_get_extms_support")  # type: ignore[attr-defined]


def test_libsrtp_is_bound_as_the_adapter_calls_it() -> None:
    for name in ("srtp_protect", "srtp_protect_rtcp", "srtp_unprotect", "srtp_unprotect_rtcp"):
        assert ffi.typeof(getattr(lib, name)).args[2] is ffi.typeof("int *"), name
    assert "bad index" in pylibsrtp.ERRORS[srtp.REPLAYED]
    assert "too old" in pylibsrtp.ERRORS[srtp.TOO_OLD]
    assert SRTP_PROFILES[0].openssl_profile == b"SRTP_AEAD_AES_256_GCM"


def both_ways(number: int) -> tuple[srtp.Srtp, srtp.Srtp]:
    profile = SRTP_PROFILES[number]
    key = bytes(range(profile.key_length + profile.salt_length))
    return srtp.Srtp(profile, key, outbound=True), srtp.Srtp(profile, key, outbound=False)


@pytest.mark.parametrize("number", range(len(SRTP_PROFILES)))
def test_long_packets_pass_and_repeated_ones_are_refused(number: int) -> None:
    outbound, inbound = both_ways(number)
    packet = rtp(1, bytes(1_438))
    sealed = outbound.process(packet)
    assert sealed is not None
    assert inbound.process(sealed) == packet
    assert outbound.process(rtp(1, b"other")) is None
    assert outbound.status == srtp.REPLAYED
    assert inbound.process(sealed) is None


async def test_an_address_that_is_not_ours_is_passed_over_and_none_at_all_is_told() -> None:
    ice = IceConnection(controlling=True, addresses=("192.0.2.1", LOOPBACK), ufrag="abcd", password="p" * 22)
    await ice.gather_candidates()
    (candidate,) = ice.candidates()
    assert candidate.host == LOOPBACK
    assert ice.dropped == {"no_such_address": 1}
    await ice.add_candidates([Candidate("1", 1, LOOPBACK, 9)], complete=True)
    await ice.add_candidates([Candidate("1", 1, LOOPBACK, 10)], complete=True)
    await ice.close()
    lost = IceConnection(controlling=True, addresses=("192.0.2.1",), ufrag="abcd", password="p" * 22)
    with pytest.raises(MediaError, match="no network address"):
        await lost.gather_candidates()


async def test_what_a_peer_can_make_us_remember_is_bounded() -> None:
    ice = IceConnection(controlling=True, addresses=(LOOPBACK,), ufrag="abcd", password="p" * 22)
    await ice.gather_candidates()
    peer = (LOOPBACK, 40_000)
    await ice.add_candidates([Candidate("1", 1, *peer)], complete=False)
    for number in range(500):
        ice.dtls_received(b"\x16" + bytes(20), peer)
        ice.srtp_received(rtp(number), peer)
        ice.dtls_received(b"\x16" + bytes(20), (LOOPBACK, 40_001))
    assert ice._queue.qsize() == 64
    assert len(ice._early) == 128
    assert ice.dropped == {"dtls_flood": 436, "stranger": 500}
    await ice.add_candidates(
        [Candidate("1", 1, LOOPBACK, 41_000 + port) for port in range(80)], complete=False
    )
    assert not ice.may_learn((LOOPBACK, 50_000))
    assert ice.may_learn(peer)
    await ice.close()


async def test_early_media_is_held_for_a_second_and_then_passed_in_order() -> None:
    ice = IceConnection(controlling=True, addresses=(LOOPBACK,), ufrag="abcd", password="p" * 22)
    await ice.gather_candidates()
    await ice.add_candidates([Candidate("1", 1, LOOPBACK, 40_000)], complete=False)
    for number in range(5):
        ice.srtp_received(rtp(number), (LOOPBACK, 40_000))
    ice._early[0] = (ice._early[0][0] - 2, ice._early[0][1])
    heard: list[bytes] = []
    ice.open_srtp(heard.append)
    ice.srtp_received(rtp(5), (LOOPBACK, 40_000))
    assert heard == [rtp(number) for number in range(1, 6)]
    await ice.close()


def test_each_certificate_is_fresh() -> None:
    assert CallCertificate.generate().fingerprint != CallCertificate.generate().fingerprint


@pytest.mark.parametrize(("heard", "rounds"), [(False, 5), (True, 10)])
async def test_while_the_peer_is_heard_every_second_check_is_left_out(
    heard: bool, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[tuple[float, ...]] = []

    def no_wait(*bounds: float) -> float:
        waits.append(bounds)
        return 0.0

    monkeypatch.setattr("media.aiortc_adapter.ice.random.uniform", no_wait)
    ice: Any = IceConnection(controlling=True, addresses=(LOOPBACK,), ufrag="abcd", password="p" * 22)
    ice.remote_username, ice.remote_password = "efgh", "q" * 22
    asked: list[bool] = []

    class Asked:
        """Stands for the nominated pair and its socket."""

        remote_addr = (LOOPBACK, 5)
        component = 1

        async def request(self, *_: Any) -> None:
            asked.append(True)
            ice.heard = heard
            if len(asked) == 5:
                ice._nominated.clear()

    pair: Any = Asked()
    pair.protocol = pair
    ice.heard = heard
    ice._nominated[1] = pair
    monkeypatch.setattr(ice, "build_request", lambda *_, **__: None)
    await ice.query_consent()
    assert len(waits) == rounds


@pytest.mark.parametrize("steps", range(6))
async def test_a_handshake_is_cancelled_though_a_datagram_comes_with_it(steps: int) -> None:
    class Ice:
        def __init__(self) -> None:
            self.incoming: asyncio.Queue[bytes] = asyncio.Queue()
            self.asked = asyncio.Event()

        async def recv(self) -> bytes:
            self.asked.set()
            return await self.incoming.get()

        async def send(self, data: bytes) -> None:
            """Lose it."""

    ice, own = Ice(), CallCertificate.generate()
    session = DtlsSession(
        cast("IceConnection", ice), own, is_server=False, peer_fingerprint=bytes(32), on_data=lambda _: None
    )
    shaking = asyncio.ensure_future(session.handshake())  # noqa: TID251 - ended below
    await ice.asked.wait()
    await asyncio.sleep(0)
    ice.incoming.put_nowait(bytes([22]) * 20)
    for _ in range(steps):
        await asyncio.sleep(0)
    shaking.cancel()
    done, _ = await asyncio.wait({shaking}, timeout=1)
    try:
        assert done, "the cancellation was lost"
        assert shaking.cancelled()
    finally:
        shaking.cancel()
        await asyncio.wait({shaking})
