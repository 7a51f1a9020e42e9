"""What both ends of a call check by themselves. Attacks with encryption of their own are in tests/attack/."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from OpenSSL import SSL

from media.aiortc_adapter import dtls

from .call_pair import PARTIES, Pair, call, endorsers, make_side, running


async def test_a_certificate_other_than_the_announced_one_ends_the_call_with_403() -> None:
    async with call() as pair:
        offer = await pair.caller.media.offer_from_phone(pair.caller.phone.sdp())
        await pair.callee.media.offer_from_mesh(offer)
        fragment = pair.callee.media.transport_fragment()
        assert fragment is not None
        start = fragment.index(b"sha-256 ") + 8
        other = b":".join([b"00"] * 32)
        await pair.caller.media.transport_from_mesh(fragment[:start] + other + fragment[start + 95 :])
        async with asyncio.timeout(5):
            status, reason = await pair.caller.media.failed()
        assert status == 403
        assert "certificate is not the announced one" in reason


async def test_a_peer_without_extended_master_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    original = dtls._PinnedCertificate._create_ssl_context

    def weakened(self: Any, srtp_profiles: Any) -> SSL.Context:
        context = original(self, srtp_profiles)
        context.set_options(1)  # SSL_OP_NO_EXTENDED_MASTER_SECRET
        return context

    monkeypatch.setattr(dtls._PinnedCertificate, "_create_ssl_context", weakened)
    async with call() as pair:
        await pair.ring()
        async with asyncio.timeout(5):
            status, reason = await pair.caller.media.failed()
        assert status == 488
        assert "extended master secret" in reason


async def test_the_side_of_a_confirmation_is_bound_into_it() -> None:
    ours, theirs = endorsers()
    other = await make_side("callee", theirs, parties=replace(PARTIES, caller_fingerprint="C" * 40))
    caller = await make_side("caller", ours)
    async with running(caller, other):
        pair = Pair(caller, other)
        await pair.ring()
        async with asyncio.timeout(5):
            statuses = {(await side.media.failed())[0] for side in (caller, other)}
        assert 403 in statuses
