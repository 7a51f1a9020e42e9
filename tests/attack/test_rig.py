"""The rig can fail: an attack that is not found out, or a defence that is taken away, is complained of."""

import dataclasses
from typing import Any, ClassVar

import pytest

from media.aiortc_adapter.dtls import DtlsSession
from media.protocol.transcript import Context
from tests.attack.handshake import WithoutEms, weak_handshakes
from tests.attack.later import InTheCall
from tests.attack.lies import GroundWords, RelayedSignatures
from tests.attack.path import OnThePath, SplicedCalls
from tests.attack.rig import LATE, SIGNED, SPOKEN, Attack, attacked, hurried
from tests.media.call_pair import FastEndorser, rtp


async def complaints(attack: Attack, patch: pytest.MonkeyPatch) -> str:
    hurried(patch)
    with weak_handshakes():
        return "; ".join((await attacked(attack)).complaints(attack))


class Harmless(OnThePath):
    """Carries everything, and claims to be an attack."""

    says: ClassVar = {"caller": (LATE,), "callee": (LATE,)}

    async def then(self) -> None:
        """Wait until both have heard each other."""
        await self.rig.goes_on(1)


class LeakyNode(InTheCall):
    """A node that sends one packet as it came from the phone."""

    async def strike(self) -> None:
        """Leak."""
        await self.rig.caller.media._sections[0].mesh.ice.send(rtp(1, SPOKEN["caller"]))


async def test_a_call_that_nobody_attacks_is_signed_and_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    said = await complaints(Harmless(), monkeypatch)
    assert SIGNED in said
    assert "the words are the same" in said
    assert "the callee was heard or hears" in said


async def test_one_packet_in_clear_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "1 datagrams in clear" in await complaints(LeakyNode(), monkeypatch)


async def test_without_a_check_of_the_signature_a_man_in_the_middle_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def gullible(*_: Any) -> bool:
        return True

    monkeypatch.setattr(FastEndorser, "verify", gullible)
    assert "says that the call is signed" in await complaints(RelayedSignatures(), monkeypatch)


async def test_without_a_check_of_the_commitment_ground_words_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("media.protocol.confirmation.hmac.compare_digest", lambda _one, _other: True)
    assert "the callee says" in await complaints(GroundWords(), monkeypatch)


async def test_without_the_call_id_in_the_context_spliced_calls_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = Context.digest
    monkeypatch.setattr(Context, "digest", lambda self: digest(dataclasses.replace(self, call_id=b"")))
    assert SIGNED in await complaints(SplicedCalls(), monkeypatch)


async def test_without_a_check_of_the_master_secret_a_weak_handshake_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(DtlsSession, "_extended_master_secret", lambda _self: 1)
    assert LATE in await complaints(WithoutEms(), monkeypatch)
