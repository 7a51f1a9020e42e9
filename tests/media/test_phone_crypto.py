"""SRTP with phones: which key is whose, and that none is begun anew."""

import re

import pytest

from media.aiortc_adapter.srtp import Srtp
from media.errors import MediaRefused
from media.phone_crypto import PhoneCrypto, own_keys, secured
from media.phone_leg import PhoneLeg
from media.protocol.sdes import KEY_AND_SALT_BYTES, Crypto

from .call_pair import LOOPBACK

SUITE = "AES_CM_128_HMAC_SHA1_80"


class Leg(PhoneLeg):
    """Remembers what it was secured with."""

    def __init__(self) -> None:
        super().__init__(LOOPBACK, frozenset({LOOPBACK}))
        self.secured: list[tuple[Srtp, Srtp]] = []

    def secure(self, srtp: tuple[Srtp, Srtp] | None) -> None:
        if srtp is not None:
            self.secured.append(srtp)


def theirs(tag: int = 1, suite: str = SUITE, fill: int = 7) -> Crypto:
    return Crypto(tag, suite, bytes([fill]) * KEY_AND_SALT_BYTES[suite])


@pytest.fixture
async def leg() -> Leg:
    return Leg()


@pytest.fixture
async def crypto(leg: Leg) -> PhoneCrypto:
    return PhoneCrypto(leg)


async def test_each_phone_that_rings_is_offered_keys_of_its_own(crypto: PhoneCrypto, leg: Leg) -> None:
    one, other = crypto.offer(), crypto.offer()
    assert [each.suite for each in one] == list(KEY_AND_SALT_BYTES)
    everything = (*one, *other)
    assert len({each.tag for each in everything}) == len({each.key for each in everything}) == 8
    chosen = other[2]
    crypto.take_answer((theirs(chosen.tag, chosen.suite),))
    assert crypto.own == chosen
    assert len(leg.secured) == 1


@pytest.mark.parametrize("answer", [theirs(99), theirs(1, SUITE), theirs(1, "AEAD_AES_128_GCM")])
async def test_an_answer_that_was_not_offered_is_refused(crypto: PhoneCrypto, answer: Crypto) -> None:
    crypto.offer()  # whose tag 1 is AES-256-GCM
    with pytest.raises(MediaRefused, match="not offered"):
        crypto.take_answer((answer,))
    assert crypto.own is None


async def test_of_what_a_phone_offers_the_first_is_taken_under_its_tag(crypto: PhoneCrypto) -> None:
    crypto.take_offer((theirs(5), theirs(6, "AEAD_AES_256_GCM")))
    assert crypto.own is not None
    assert (crypto.own.tag, crypto.own.suite) == (5, SUITE)
    assert crypto.own.key != theirs().key


async def test_a_change_of_the_call_goes_on_under_the_same_key(crypto: PhoneCrypto, leg: Leg) -> None:
    crypto.take_offer((theirs(),))
    first = crypto.own
    crypto.take_offer((theirs(),))
    assert len(leg.secured) == 1, "the same offer changes nothing"
    crypto.take_offer((theirs(2, fill=8),))
    assert first is not None
    assert crypto.own is not None
    assert (crypto.own.tag, crypto.own.key) == (2, first.key)
    (out, into), (later_out, later_into) = leg.secured
    assert out is later_out, "to begin anew under a key would use its keystream twice"
    assert into is not later_into
    crypto.take_offer((theirs(3, "AEAD_AES_256_GCM"),))
    assert crypto.own.key != first.key
    crypto.take_offer((theirs(4),))
    assert len({id(srtp[0]) for srtp in leg.secured}) == 3, "a suite that comes back gets another key"


async def test_who_encrypts_may_not_stop_in_the_middle_of_the_call(crypto: PhoneCrypto) -> None:
    crypto.take_offer((theirs(),))
    with pytest.raises(MediaRefused, match="stopped to encrypt"):
        crypto.take_offer(())
    with pytest.raises(MediaRefused, match="stopped to encrypt"):
        crypto.take_answer(())


async def test_of_several_phones_one_may_be_plain_until_one_is_in_the_call(crypto: PhoneCrypto) -> None:
    offered = crypto.offer()
    crypto.take_answer(
        (theirs(1, offered[0].suite),)
    )  # early, by a phone that was not the quickest after all
    crypto.take_answer(())
    assert crypto.own is None


async def test_a_section_that_is_added_is_encrypted_as_the_first(crypto: PhoneCrypto) -> None:
    added = PhoneCrypto(Leg())
    of_the_call = (crypto, added)
    assert own_keys(added, of_the_call, is_offer=True) == ()
    crypto.take_offer((theirs(),))
    assert own_keys(crypto, of_the_call, is_offer=True) == (crypto.own,)
    assert len(own_keys(added, of_the_call, is_offer=True)) == len(KEY_AND_SALT_BYTES)
    assert own_keys(added, of_the_call, is_offer=False) == ()
    with pytest.raises(MediaRefused, match="stopped to encrypt"):
        added.take_answer(())


async def test_an_offer_is_turned_into_one_of_srtp(crypto: PhoneCrypto) -> None:
    plain = (
        b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        b"m=audio 4000 RTP/AVP 0\r\na=sendrecv\r\nm=video 0 RTP/AVPF 96\r\nm=image 0 udptl t38\r\n"
    )
    offer = secured(plain, {0: crypto}).decode()
    assert "m=audio 4000 RTP/SAVP 0\r\n" in offer
    assert "m=video 0 RTP/AVPF 96\r\nm=image 0 udptl t38\r\n" in offer
    lines = re.findall(r"a=crypto:(\d) (\S+) inline:", offer)
    assert lines == [(str(tag), suite) for tag, suite in enumerate(KEY_AND_SALT_BYTES, 1)]
