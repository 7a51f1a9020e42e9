"""What the user's own keyring makes of other people's keys, with the real gpg."""

from collections.abc import Iterator

import pytest

from tests.trust.agent import PersonsGpg
from tests.trust.gpg import GpgHome, needs_gpg
from tests.trust.memory_store import MemoryStore
from trust.openpgp import inspect, utc_now
from trust.pins import Pins, TrustState
from trust.standing import Standing, Standings
from trust.user_gpg import UserGpg, parse_listing
from trust.web_of_trust import WebOfTrust

pytestmark = needs_gpg
BOB = "sip:bob@mesh"


class Me(PersonsGpg):
    """My keyring, with a key of mine, and what I know of bob's key."""

    def __init__(self) -> None:
        super().__init__()
        self.make("me")
        self.pins = Pins(MemoryStore())
        self.now = 0.0
        self.standings = Standings(self.pins, web=WebOfTrust(UserGpg(self.home), lambda: self.now))

    def meet(self, key: bytes) -> str:
        """Import a key and return its fingerprint."""
        self.run("--import", data=key)
        return inspect(key, utc_now()).fingerprint

    def certify(self, fingerprint: str) -> None:
        """Sign a key as mine to sign."""
        self.run("--quick-lsign-key", fingerprint)
        self.check()

    def check(self) -> None:
        """Have gpg work out who is valid, as it does now and then."""
        self.run("--check-trustdb")

    async def bob(self, fingerprint: str) -> Standing:
        """Return how a key stands as bob's."""
        return await self.standings.of(BOB, fingerprint)


@pytest.fixture
def me() -> Iterator[Me]:
    with Me() as home:
        yield home


async def test_a_key_that_i_certified_for_this_address_is_verified(me: Me, gpg: GpgHome) -> None:
    key = gpg.make("bob")
    unknown = await me.bob(inspect(key, utc_now()).fingerprint)
    assert unknown.state is TrustState.NEW
    assert unknown.reasons[1].text == "Your GnuPG keyring does not have this key."
    fingerprint = me.meet(key)
    imported = await me.bob(fingerprint)
    assert imported.state is TrustState.NEW
    assert "holds no user id of it valid" in imported.reasons[1].text
    me.certify(fingerprint)
    certified = await me.bob(fingerprint)
    assert certified.state is TrustState.VERIFIED
    assert certified.reasons[1].text == (
        "Your GnuPG keyring holds this key valid (full) as 'bob <sip:bob@mesh>': verified."
    )


async def test_a_certified_key_of_another_name_says_nothing_of_this_address_until_it_is_pinned(
    me: Me, gpg: GpgHome
) -> None:
    fingerprint = me.meet(gpg.make("mallory"))
    me.certify(fingerprint)
    standing = await me.bob(fingerprint)
    assert standing.state is TrustState.NEW
    assert "which does not name bob@mesh" in standing.reasons[1].text
    me.pins.pin(BOB, fingerprint, b"key", 1.0)
    assert (await me.bob(fingerprint)).state is TrustState.VERIFIED


async def test_another_key_than_the_pinned_one_stays_a_conflict_however_valid(me: Me, gpg: GpgHome) -> None:
    me.pins.pin(BOB, "A" * 40, b"key", 1.0)
    fingerprint = me.meet(gpg.make("bob"))
    me.certify(fingerprint)
    standing = await me.bob(fingerprint)
    assert standing.state is TrustState.CONFLICT
    assert "The key that is kept for the name comes first" in standing.reasons[1].text


async def test_validity_comes_over_people_whom_i_trust_fully_and_marginal_is_not_enough(
    me: Me, gpg: GpgHome
) -> None:
    """As in gpg: one certification by somebody fully trusted, or three by somebody marginally."""
    gpg.make("bob")
    fingerprint = inspect(gpg.export("bob"), utc_now()).fingerprint
    friend = inspect(gpg.make("friend"), utc_now()).fingerprint
    gpg.run("-u", friend, "--quick-sign-key", fingerprint)
    for key in ("friend", "bob"):
        me.meet(gpg.run("--export", f"sip:{key}@mesh"))
    me.certify(friend)
    for ownertrust, level, state in ((4, "marginal", TrustState.NEW), (5, "full", TrustState.VERIFIED)):
        me.run("--import-ownertrust", data=f"{friend}:{ownertrust}:\n".encode())
        me.check()
        standing = await me.bob(fingerprint)
        assert standing.state is state, level
        assert f"({level})" in standing.reasons[1].text


async def test_a_key_revoked_in_my_keyring_is_not_used_whatever_the_mesh_says(me: Me, gpg: GpgHome) -> None:
    fingerprint = me.meet(gpg.make("bob"))
    me.pins.pin(BOB, fingerprint, b"key", 1.0)
    assert (await me.bob(fingerprint)).problem is None
    me.meet(gpg.revoke("bob", fingerprint))
    standing = await me.bob(fingerprint)
    assert standing.problem == "Your GnuPG keyring says that this key is revoked."


async def test_an_expired_or_disabled_key_in_my_keyring(me: Me, gpg: GpgHome) -> None:
    old = me.meet(gpg.make("bob", at=1_700_000_000, expires="1d"))
    standing = await me.bob(old)
    assert standing.problem is None
    assert "has expired: fetch it anew" in standing.reasons[1].text
    off = me.meet(gpg.make("carol"))
    me.run("--command-fd", "0", "--edit-key", off, data=b"disable\nsave\n")
    assert (await me.standings.of("sip:carol@mesh", off)).problem == (
        "You have disabled this key in your GnuPG keyring."
    )


async def test_no_stranger_makes_gpg_run(me: Me, monkeypatch: pytest.MonkeyPatch) -> None:
    web = WebOfTrust(UserGpg(me.home), lambda: me.now)
    assert await web.key("A" * 40) is None
    monkeypatch.setenv("PATH", "/nowhere")
    for number in range(50):
        assert await web.key(f"{number:040X}") is None
    me.now = 3601.0
    monkeypatch.undo()
    assert await web.key("A" * 40) is None


async def test_a_keyring_that_cannot_be_read_is_told_and_changes_nothing(
    me: Me, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    standing = await me.bob("A" * 40)
    assert standing.state is TrustState.NEW
    assert (
        standing.reasons[1].text
        == "Your GnuPG keyring could not be asked. gpg is missing: apt install gnupg."
    )


@pytest.mark.parametrize(
    "out", [b"", b":::", b"uid:f\nfpr:x", b"pub\nfpr::::::::::", b"\xff" * 100, b"pub:f:\nuid:\n"]
)
def test_a_listing_that_makes_no_sense_has_no_keys(out: bytes) -> None:
    assert parse_listing(out) == [] or all(not key.fingerprint for key in parse_listing(out))
