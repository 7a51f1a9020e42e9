"""One short form for each signature: nothing lost, nothing loose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trust.gpg import GpgHome, needs_gpg
from tests.trust.test_openpgp import public, signed
from trust.errors import BadKey, BadSignature
from trust.keyring import Keyring
from trust.openpgp import utc_now, verify
from trust.protocol.compact_signature import compact, expand

SIZES = {"gnupg": 90, "sequoia": 122}
DATA = b"a list of nodes"


def flips(data: bytes) -> list[bytes]:
    """Return each text that differs from ``data`` in one bit."""
    return [
        data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
        for at in range(len(data))
        for bit in range(8)
    ]


async def test_a_short_signature_says_all_that_the_long_one_says(alice: Keyring, backend: str) -> None:
    key = await alice.export()
    for data in (b"", DATA, bytes(300)):
        short = compact(await alice.sign(data), data)
        assert len(short) == SIZES[backend]
        assert await alice.verify(data, expand(short, data), key) == alice.fingerprint
        assert compact(expand(short, data), data) == short


async def test_the_real_gpg_agrees_with_what_was_made_long_again(alice: Keyring, gpg: GpgHome) -> None:
    long = expand(compact(await alice.sign(DATA), DATA), DATA)
    assert gpg.verify(await alice.export(), long, DATA) == alice.fingerprint


def test_no_bit_of_a_short_signature_is_loose() -> None:
    short = compact(signed(DATA), DATA)
    for flipped in flips(short):
        with pytest.raises(BadSignature):
            verify(DATA, expand(flipped, DATA), public(), utc_now())


@needs_gpg
def test_signatures_of_other_kinds_are_kept_as_they_are(gpg: GpgHome) -> None:
    key = gpg.make("rsa", kind="rsa2048")
    long = gpg.sign("rsa", DATA)
    short = compact(long, DATA)
    assert short[0] == 0
    assert len(short) < len(long) + 8
    fingerprint = verify(DATA, expand(short, DATA), key, utc_now())
    assert gpg.verify(key, expand(short, DATA), DATA) == fingerprint
    for flipped in flips(short):
        with pytest.raises((BadSignature, BadKey)):
            verify(DATA, expand(flipped, DATA), key, utc_now())


def test_what_no_hash_covers_is_dropped() -> None:
    once = expand(compact(signed(DATA), DATA), DATA)
    head = once[6 : 6 + 6 + 111]
    loose = head + b"\x00\x0a\x09\x10" + bytes(8) + once[6 + 6 + 111 + 2 :]
    packet = b"\xc2\xff" + len(loose).to_bytes(4, "big") + loose
    assert verify(DATA, packet, public(), utc_now())
    assert expand(compact(packet, DATA), DATA) == once
    with pytest.raises(BadSignature):
        expand(b"\x00" + packet, DATA)


@given(st.binary(max_size=300))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(BadSignature):
        expand(noise, DATA)
    with pytest.raises(BadSignature):
        compact(noise, DATA)


@given(st.binary(min_size=122, max_size=122).map(lambda noise: b"\x02" + noise[1:]))
def test_noise_of_the_right_size_never_verifies(noise: bytes) -> None:
    with pytest.raises((BadSignature, BadKey)):
        verify(DATA, expand(noise, DATA), public(), utc_now())
