"""Introductions: somebody known says whose key is whose; changed, borrowed and old ones count for nothing."""

import dataclasses
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trust.memory_store import MemoryStore
from trust.introductions import (
    Introduction,
    IntroductionRefused,
    Introductions,
    SignedIntroduction,
    introduce,
)
from trust.keyring import Keyring, open_keyring
from trust.pins import Pin, Pins, TrustState
from trust.standing import Standings

ALICE, BOB, CAROL = "sip:alice@mesh", "sip:bob@mesh", "sip:carol@mesh"
NOW = 1_800_000_000.0
YEAR = 366 * 86400.0


@dataclass
class People:
    """Alice knows bob (verified) and carol; carol knows alice."""

    alice: Keyring
    bob: Keyring
    carol: Keyring
    store: MemoryStore
    pins: Pins
    kept: Introductions

    async def word(self, uri: str = BOB, *, verified: bool = True) -> SignedIntroduction:
        """Return alice's word to carol."""
        bob, carol = (Pin(u, k.fingerprint, b"", NOW) for u, k in ((uri, self.bob), (CAROL, self.carol)))
        return await introduce(self.alice, ALICE, dataclasses.replace(bob, verified=verified), carol, NOW)

    async def take(self, signed: SignedIntroduction, now: float = NOW) -> None:
        """Let carol import it."""
        await self.kept.take(self.carol, signed, self.carol.fingerprint, now)


@pytest.fixture
async def people(tmp_path: Path) -> People:
    names = ("alice", "bob", "carol")
    alice, bob, carol = [
        await open_keyring(tmp_path / n, f"{n} <sip:{n}@mesh>", backend="sequoia") for n in names
    ]
    pins, store = Pins(MemoryStore()), MemoryStore()
    pins.pin(ALICE, alice.fingerprint, await alice.export(), NOW)
    return People(alice, bob, carol, store, pins, Introductions(store, pins))


async def test_somebody_introduced_stands_between_new_and_known(people: People) -> None:
    standings = Standings(people.pins, people.kept, clock=lambda: NOW)
    bob = people.bob.fingerprint
    assert (await standings.of(BOB, bob)).state is TrustState.NEW
    await people.take(await people.word())
    standing = await standings.of(BOB, bob)
    assert standing.state is TrustState.INTRODUCED
    assert standing.introduced_by == (ALICE,)
    assert [reason.source for reason in standing.reasons] == ["pin", "introduction"]
    assert standing.reasons[1].text == (
        "alice@mesh, whom you know from calls, introduced this key as bob@mesh on 2027-01-15, "
        "and has verified it in person."
    )
    assert (await standings.of(BOB, people.carol.fingerprint)).state is TrustState.NEW
    people.pins.pin(BOB, bob, b"key", NOW)
    assert (await standings.of(BOB, bob)).state is TrustState.PINNED


async def test_an_introduction_ends_with_the_acquaintance_and_after_a_year(people: People) -> None:
    await people.take(await people.word())
    fingerprint = people.bob.fingerprint
    assert len(Introductions(people.store, people.pins).of(BOB, fingerprint, NOW)) == 1
    assert people.kept.of(BOB, fingerprint, NOW + YEAR + 1) == []
    people.pins.forget(ALICE)
    assert people.kept.of(BOB, fingerprint, NOW) == []
    people.pins.pin(ALICE, people.carol.fingerprint, b"key", NOW)
    assert people.kept.of(BOB, fingerprint, NOW) == []


async def test_the_card_survives_mail_and_no_readable_line_can_be_changed(people: People) -> None:
    signed = await people.word()
    card = signed.card()
    quoted = "Hello carol,\r\n\r\n" + card.replace("\n", "  \r\n") + "\r\nbye"
    assert SignedIntroduction.read_card(quoted) == signed
    for old, new in (("bob@mesh", "eve@mesh"), ("To: ", "For: "), ("By: alice@mesh\n", "")):
        with pytest.raises(IntroductionRefused, match="readable lines"):
            SignedIntroduction.read_card(card.replace(old, new))
    for text in ("", card.partition("By")[0], card.replace("-----END", "x" * 5000 + "-----END")):
        with pytest.raises(IntroductionRefused, match="none in this file"):
            SignedIntroduction.read_card(text)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"uri": "sip:eve@mesh"}, "alice@mesh has not signed it"),
        ({"made": int(NOW) - 10}, "alice@mesh has not signed it"),
        ({"verified": False}, "alice@mesh has not signed it"),
        ({"reader": BOB}, "alice@mesh has not signed it"),
        ({"fingerprint": "A" * 40}, "alice@mesh has not signed it"),
        ({"reader_fingerprint": "B" * 40}, "it was made for carol@mesh, whose key is not yours"),
        ({"introducer": BOB}, "you do not know bob@mesh by the key"),
        ({"introducer_fingerprint": "A" * 40}, "you do not know alice@mesh by the key"),
        ({"made": int(NOW + YEAR)}, "its time is over, or a clock is wrong"),
        ({"made": int(NOW - 2 * YEAR)}, "its time is over"),
    ],
)
async def test_what_the_introducer_did_not_say_is_refused(
    people: People, change: dict[str, object], why: str
) -> None:
    signed = await people.word()
    changed = dataclasses.replace(signed.introduction, **change)  # type: ignore[arg-type]
    with pytest.raises(IntroductionRefused, match=why):
        await people.take(dataclasses.replace(signed, introduction=changed))
    assert people.kept.all(NOW) == []


async def test_nobody_introduces_themselves(people: People) -> None:
    me = Pin(ALICE, people.alice.fingerprint, b"", NOW)
    carol = Pin(CAROL, people.carol.fingerprint, b"", NOW)
    for subject in (me, carol):
        with pytest.raises(IntroductionRefused, match="themselves"):
            await introduce(people.alice, ALICE, subject, carol, NOW)


async def test_a_second_word_replaces_the_first_and_a_full_table_takes_no_more(people: People) -> None:
    kept = Introductions(people.store, people.pins, limit=1)
    for verified in (False, True):
        signed = await people.word(verified=verified)
        await kept.take(people.carol, signed, people.carol.fingerprint, NOW)
    assert [said.verified for said in kept.all(NOW)] == [True]
    with pytest.raises(IntroductionRefused, match="1 are kept, which is the limit"):
        await kept.take(people.carol, await people.word("sip:robert@mesh"), people.carol.fingerprint, NOW)


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b'{"version": 2, "introductions": []}', b'{"version":1,"introductions":["x"]}']
)
def test_a_damaged_file_is_told(raw: bytes) -> None:
    store = MemoryStore()
    store.save(raw)
    with pytest.raises(IntroductionRefused, match="file of introductions is damaged"):
        Introductions(store, Pins(MemoryStore()))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_canonical(data: bytes) -> None:
    with suppress(IntroductionRefused):
        assert bytes(SignedIntroduction.parse(data)) == data


@given(st.text(max_size=300))
def test_any_text_is_refused_as_a_card(text: str) -> None:
    with pytest.raises(IntroductionRefused):
        SignedIntroduction.read_card(
            f"-----BEGIN FREE CALL INTRODUCTION-----{text}-----END FREE CALL INTRODUCTION-----"
        )


def test_the_fields_have_their_range() -> None:
    good = (BOB, "A" * 40, ALICE, "B" * 40, CAROL, "C" * 40, 1, True)
    for at, bad in ((0, "bob"), (1, "x"), (6, -1), (6, 2**48)):
        fields = [*good[:at], bad, *good[at + 1 :]]
        with pytest.raises(IntroductionRefused):
            Introduction(*fields)  # type: ignore[arg-type]
