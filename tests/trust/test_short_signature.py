"""A wrong clock is told from a forgery."""

import calendar

import pytest

from tests.trust.gpg import GpgHome, needs_gpg
from tests.trust.test_compact_signature import flips
from trust.errors import BadKey, BadSignature
from trust.keyring import Keyring
from trust.openpgp import KeyVerifier, inspect, utc_now
from trust.protocol.compact_signature import compact
from trust.protocol.packets import split
from trust.protocol.undated import signer
from trust.short_signature import Signer, check_short, fingerprints, issuer, read_key, sign_short

DATA = b"a list of nodes"
YEAR_2061 = calendar.timegm((2061, 1, 1, 0, 0, 0))


async def test_what_was_signed_is_checked(alice: Keyring, mallory: Keyring) -> None:
    short = await sign_short(alice, DATA)
    key = await alice.export()
    assert await check_short(mallory, DATA, short, key) == Signer(alice.fingerprint)
    for data, other in ((DATA + b"!", key), (DATA, await mallory.export())):
        with pytest.raises(BadSignature):
            await check_short(alice, data, short, other)


async def test_a_key_and_its_subkeys_are_known_without_a_clock(alice: Keyring, mallory: Keyring) -> None:
    signature, key = await alice.sign(DATA), await alice.export()
    assert signer(DATA, signature, key) == alice.fingerprint
    assert signer(DATA + b"!", signature, key) is None
    assert signer(DATA, signature, await mallory.export()) is None


async def test_a_signature_names_a_key_among_those_of_its_maker(alice: Keyring, mallory: Keyring) -> None:
    named = issuer(await sign_short(alice, DATA), DATA)
    assert named in fingerprints(await alice.export())
    assert named not in fingerprints(await mallory.export())
    assert fingerprints(await alice.export())[0] == alice.fingerprint
    with pytest.raises(BadSignature):
        issuer(b"\x00noise", DATA)


@needs_gpg
async def test_a_signature_from_the_future_is_believed_with_a_doubt(gpg: GpgHome) -> None:
    clock = ["--faked-system-time", f"{YEAR_2061 + 60}!"]
    key = gpg.make("marty", at=YEAR_2061)
    short = compact(gpg.sign("marty", DATA, *clock), DATA)
    checked = await check_short(KeyVerifier(), DATA, short, key)
    assert gpg.run("--list-keys", "--with-colons", *clock).decode().count(checked.fingerprint) == 1
    assert "clocks is wrong" in checked.doubt
    for flipped in flips(short)[::31]:
        with pytest.raises((BadSignature, BadKey)):
            await check_short(KeyVerifier(), DATA, flipped, key)


@needs_gpg
async def test_a_key_that_has_expired_by_this_clock_is_believed_with_a_doubt(gpg: GpgHome) -> None:
    clock = ["--faked-system-time", f"{calendar.timegm((2011, 1, 1, 0, 0, 0))}!"]
    key = gpg.make("old", at=calendar.timegm((2010, 12, 1, 0, 0, 0)), expires="1y")
    checked = await check_short(KeyVerifier(), DATA, compact(gpg.sign("old", DATA, *clock), DATA), key)
    assert checked.fingerprint == inspect(key, utc_now()).fingerprint
    assert "expired" in checked.doubt


@needs_gpg
async def test_a_revoked_key_is_refused_by_any_clock(gpg: GpgHome) -> None:
    key = gpg.make("lost")
    short = compact(gpg.sign("lost", DATA), DATA)
    fingerprint = (await check_short(KeyVerifier(), DATA, short, key)).fingerprint
    with pytest.raises(BadKey, match="revoked"):
        await check_short(KeyVerifier(), DATA, short, gpg.revoke("lost", fingerprint))


async def test_a_subkey_that_the_primary_key_never_took_is_nobodys(alice: Keyring, mallory: Keyring) -> None:
    """Mallory lists her signing subkey under Alice's primary key."""
    own, hers = split(await alice.export()), split(await mallory.export())
    stolen = b"".join(packet.raw for packet in (*own[:3], *hers[3:]))
    assert signer(DATA, await mallory.sign(DATA), stolen) is None


@needs_gpg
def test_a_key_is_read_with_and_without_armour(gpg: GpgHome) -> None:
    key = gpg.make("bob")
    armoured = gpg.export("bob", "--armor")
    assert read_key(key) == read_key(armoured) == read_key(armoured.replace(b"\n", b"\r\n")) == key
    for noise in (b"", b"no key", armoured[:200], armoured.replace(b"A", b"!")):
        with pytest.raises(BadKey):
            read_key(noise)
