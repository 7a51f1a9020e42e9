"""The crypto attribute of RFC 4568: what can be used is used, all else is as if it were not there."""

import base64

import pytest
from hypothesis import given, strategies

from media.protocol.sdes import KEY_AND_SALT_BYTES, MAX_ATTRIBUTES, Crypto, usable

SUITE = "AES_CM_128_HMAC_SHA1_80"
KEY = bytes(range(30))
INLINE = base64.b64encode(KEY).decode()

cryptos = strategies.sampled_from(sorted(KEY_AND_SALT_BYTES)).flatmap(
    lambda suite: strategies.builds(
        Crypto,
        strategies.integers(0, 999_999_999),
        strategies.just(suite),
        strategies.binary(min_size=KEY_AND_SALT_BYTES[suite], max_size=KEY_AND_SALT_BYTES[suite]),
    )
)


@given(cryptos)
def test_what_we_write_is_read_again(crypto: Crypto) -> None:
    name, _, value = crypto.line().partition(":")
    assert name == "a=crypto"
    assert Crypto.parse(value) == crypto


@pytest.mark.parametrize(
    "value",
    [
        f"1 {SUITE} inline:{INLINE}",
        f"1 {SUITE} inline:{INLINE}|2^48",  # a lifetime alone: RFC 4568 section 6.1
        f"1 {SUITE} inline:{INLINE}|1000000",
        f"1 {SUITE} inline:{INLINE} WSH=64 KDR=0",
        f"1 {SUITE} inline:{INLINE} ",
    ],
)
def test_what_changes_nothing_on_the_wire_is_taken(value: str) -> None:
    assert Crypto.parse(value) == Crypto(1, SUITE, KEY)


@pytest.mark.parametrize(
    "value",
    [
        # the examples of RFC 4568 sections 4 and 7: an MKI each, a suite that we lack, other packets
        "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4 FEC_ORDER=FEC_SRTP",
        "2 F8_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm|2^20|1:4 FEC_ORDER=FEC_SRTP",
        "1 AES_CM_128_HMAC_SHA1_32 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj|2^20|1:32",
        f"1 {SUITE} inline:{INLINE};inline:{INLINE}",
        f"1 {SUITE} inline:{INLINE} UNENCRYPTED_SRTP",
        f"1 {SUITE} inline:{INLINE} UNAUTHENTICATED_SRTP",
        f"1 {SUITE} inline:{INLINE} UNENCRYPTED_SRTCP",
        f"1 {SUITE} inline:{INLINE} KDR=3",
        f"1 {SUITE} inline:{INLINE[:-4]}",
        f"1 AEAD_AES_256_GCM inline:{INLINE}",
        f"1 {SUITE} inline:{INLINE[:-1]}",
        f"1 {SUITE} inline:",
        f"1 {SUITE} uri:https://example.org/key",
        f"-1 {SUITE} inline:{INLINE}",
        f"1234567890 {SUITE} inline:{INLINE}",
        f"1 {SUITE}  inline:{INLINE}",
        f"1 {SUITE} inline:{INLINE}" + " WSH=64" * 100,
        "",
    ],
)
def test_what_cannot_be_used_as_it_is_meant_is_left(value: str) -> None:
    assert Crypto.parse(value) is None


@given(
    strategies.text(max_size=600)
    | strategies.builds(f"1 {SUITE} inline:{{}}".format, strategies.text(max_size=60))
)
def test_nothing_raises(value: str) -> None:
    crypto = Crypto.parse(value)
    assert crypto is None or len(crypto.key) == KEY_AND_SALT_BYTES[crypto.suite]


def test_the_usable_ones_keep_their_order_and_are_bounded() -> None:
    def value(tag: int) -> str:
        return Crypto(tag, SUITE, KEY).line().removeprefix("a=crypto:")

    assert [each.tag for each in usable([value(3), "9 none inline:", value(1), value(3)])] == [3, 1]
    assert len(usable(value(tag) for tag in range(100))) == MAX_ATTRIBUTES


def test_no_key_is_in_the_text_of_the_object() -> None:
    assert INLINE not in repr(Crypto(1, SUITE, KEY))
    assert str(KEY) not in repr(Crypto(1, SUITE, KEY))
