"""The keys of phones between nodes: what we write is read, all else is left in an offer and refused in an answer."""

import pytest
from hypothesis import given, strategies

from media.errors import MediaRefused
from media.protocol.far_keys import chosen_key, of_each_suite, offered_keys, with_keys_of_phones
from media.protocol.sdes import KEY_AND_SALT_BYTES, MAX_ATTRIBUTES, Crypto
from media.protocol.sdp import MediaDescription, SessionDescription
from media.protocol.transport_lines import PHONE_CRYPTO, without_transport

from .test_sdes import cryptos

SUITE = "AES_CM_128_HMAC_SHA1_80"
KEY = Crypto(1, SUITE, bytes(30))
GOOD = KEY.value()

values = (
    strategies.text(strategies.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=600)
    | cryptos.map(Crypto.value)
    | strategies.builds("{} {} inline:{}{}".format, *[strategies.text(max_size=50)] * 4)
    | strategies.builds(
        lambda at, new: GOOD[:at] + new + GOOD[at + 1 :],
        strategies.integers(0, 80),
        strategies.text(max_size=2),
    )
)


def section(*said: str, port: int = 9) -> MediaDescription:
    lines = tuple(f"a={PHONE_CRYPTO}:{value}" for value in said)
    return MediaDescription("audio", port, "UDP/TLS/RTP/SAVP", "0", lines)


@given(strategies.lists(cryptos, max_size=6))
def test_what_we_write_is_read(keys: list[Crypto]) -> None:
    told = of_each_suite(keys)
    described = SessionDescription(("v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-"), (section(),))
    again = SessionDescription.parse(bytes(with_keys_of_phones(described, [told])))
    assert offered_keys(again.media[0]) == told
    for key in told:
        assert chosen_key(section(key.value())) == key


@given(strategies.lists(values, max_size=40))
def test_an_offer_gives_a_good_key_of_each_suite_at_most_and_never_fails(said: list[str]) -> None:
    keys = offered_keys(section(*said))
    assert len({key.suite for key in keys}) == len({key.tag for key in keys}) == len(keys)
    for key in keys:
        assert len(key.key) == KEY_AND_SALT_BYTES[key.suite]
        assert key.value() in said, "exactly as we write it"


@given(strategies.lists(values, max_size=3))
def test_an_answer_gives_one_good_key_or_none_or_is_refused(said: list[str]) -> None:
    try:
        key = chosen_key(section(*said))
    except MediaRefused:
        assert said
    else:
        assert said == ([] if key is None else [key.value()])


@pytest.mark.parametrize(
    "value",
    [
        "",
        f" {GOOD}",
        f"{GOOD} ",
        f"0{GOOD}",
        f"{GOOD}|2^48",
        f"{GOOD}|2^20|1:4",
        f"{GOOD} WSH=64",
        f"{GOOD} UNENCRYPTED_SRTP",
        f"{GOOD};inline:{GOOD}",
        GOOD.replace("_80", "_81"),
        GOOD.replace(SUITE, "NULL"),
        GOOD[:-4],
    ],
)
def test_nothing_is_taken_that_is_not_exactly_so(value: str) -> None:
    assert offered_keys(section(value)) == ()
    assert offered_keys(section(value, GOOD)) == (KEY,)
    with pytest.raises(MediaRefused, match="no usable key"):
        chosen_key(section(value))
    with pytest.raises(MediaRefused, match="no usable key"):
        chosen_key(section(GOOD, value))


def test_so_many_are_looked_at_and_no_more() -> None:
    assert offered_keys(section(*["nonsense"] * MAX_ATTRIBUTES, GOOD)) == ()
    assert offered_keys(section(*["nonsense"] * (MAX_ATTRIBUTES - 1), GOOD)) == (KEY,)


def test_the_first_of_a_suite_and_of_a_tag_counts() -> None:
    other = Crypto(1, "AEAD_AES_128_GCM", bytes(28))
    assert of_each_suite((KEY, Crypto(2, SUITE, b"x" * 30), other)) == (KEY,)


def test_a_section_that_is_off_tells_none_and_no_leg_lets_the_attribute_through() -> None:
    described = SessionDescription((), (section(port=0),))
    assert with_keys_of_phones(described, [(KEY,)]) == described
    assert without_transport(section(GOOD).lines) == ()
