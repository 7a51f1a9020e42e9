"""Phones of two nodes that encrypt from end to end: what goes in comes out, and who cannot is served as ever."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from media.aiortc_adapter.srtp import SUITES, Srtp
from media.errors import MediaRefused
from media.events import PhonesSecureThemselves
from media.phone_crypto import MAX_OPENED
from media.protocol.sdes import KEY_AND_SALT_BYTES, Crypto
from media.protocol.transport_lines import PHONE_CRYPTO
from media.sealing import FOLLOWED

from .call_pair import Pair, Phone, Side, call, rtp, sender_report, until
from .srtp_phone import SrtpPhone, keys_in

SUITE = "AES_CM_128_HMAC_SHA1_80"
LINE = re.compile(rb"a=fc-phone-crypto:[^\r]*\r\n")


async def raw(queue: "asyncio.Queue[bytes]") -> bytes:
    async with asyncio.timeout(3):
        return await queue.get()


def said_of_phones(side: Side) -> list[str]:
    return [event.by for event in side.events if isinstance(event, PhonesSecureThemselves)]


@dataclass
class Scene:
    """A call of two phones that encrypt. `between` is what becomes of descriptions on the mesh."""

    pair: Pair
    caller: SrtpPhone
    callee: SrtpPhone
    between: Callable[[bytes], bytes] = bytes

    async def ring(self, *, rings_alone: bool = True) -> bytes:
        mesh = await self.pair.caller.media.offer_from_phone(self.caller.offer())
        offered = await self.pair.callee.media.offer_from_mesh(self.between(mesh))
        return self.pair.callee.media.secure_offer(offered, b"", rings_alone=rings_alone)

    async def answer(self, answer: bytes) -> bytes:
        mesh = await self.pair.callee.media.answer_from_phone(answer)
        return await self.pair.caller.media.answer_from_mesh(self.between(mesh))

    async def change(self, by: Side, phone: SrtpPhone, to: Side, other: SrtpPhone, **said: Any) -> None:
        """Offer again; the other phone answers under the key that it is offered, and neither begins anew."""
        offered = await to.media.offer_from_mesh(
            self.between(await by.media.offer_from_phone(phone.offer(**said)))
        )
        (key,) = keys_in(offered)
        assert other.inbound_key == (key.suite, key.key), "it is told no other key"
        answer = other.description((other.under_the_tag_of(offered),))
        answered = await by.media.answer_from_mesh(self.between(await to.media.answer_from_phone(answer)))
        (key,) = keys_in(answered)
        assert phone.inbound_key == (key.suite, key.key)

    async def change_by_caller(self, **said: Any) -> None:
        await self.change(self.pair.caller, self.caller, self.pair.callee, self.callee, **said)

    async def change_by_callee(self, **said: Any) -> None:
        await self.change(self.pair.callee, self.callee, self.pair.caller, self.caller, **said)

    async def pass_untouched(self, number: int) -> None:
        """Say something each way; what comes out is what went in, with all that encrypts and proves it."""
        for by, to, ssrc in ((self.caller, self.callee, 7), (self.callee, self.caller, 9)):
            by.send(sealed := by.sealed(rtp(number, ssrc=ssrc)))
            assert await raw(to.heard) == sealed
            assert to.opened(sealed) == rtp(number, ssrc=ssrc)
            by.send_rtcp(report := by.sealed(sender_report(ssrc)))
            assert await raw(to.heard_rtcp) == report
            assert to.opened(report) == sender_report(ssrc)

    async def pass_by_the_nodes(self, number: int) -> None:
        """Say something each way; it is heard, under another stream of the same key."""
        for by, to, ssrc in ((self.caller, self.callee, 7), (self.callee, self.caller, 9)):
            by.send(by.sealed(rtp(number, ssrc=ssrc)))
            heard = await to.next()
            assert heard[12:] == rtp(number)[12:]
            assert heard[8:12] != rtp(number, ssrc=ssrc)[8:12], "a stream of its own: no keystream twice"
            by.send_rtcp(by.sealed(sender_report(ssrc)))
            assert await to.next_rtcp() == sender_report(int.from_bytes(heard[8:12]))


@contextlib.asynccontextmanager
async def scene(
    caller: tuple[str, ...] = (SUITE,), callee: tuple[str, ...] = (SUITE,), **options: Any
) -> AsyncIterator[Scene]:
    one, other = SrtpPhone(*caller), SrtpPhone(*callee)
    async with call(caller={"phone": one, **options}, callee={"phone": other}) as pair:
        yield Scene(pair, one, other)


@contextlib.asynccontextmanager
async def talking(*suites: str) -> AsyncIterator[Scene]:
    async with scene(suites or (SUITE,), suites or (SUITE,)) as it:
        it.caller.answered(await it.answer(it.callee.answer(await it.ring())))
        await it.pair.secured()
        yield it


def without_keys(sdp: bytes) -> bytes:
    return LINE.sub(b"", sdp)


@pytest.mark.parametrize("suite", KEY_AND_SALT_BYTES)
async def test_what_a_phone_encrypts_arrives_as_it_is_under_each_suite(suite: str) -> None:
    async with talking(suite) as it:
        assert it.caller.inbound_key == (suite, it.callee.keys[0].key)
        assert it.callee.inbound_key == (suite, it.caller.keys[0].key)
        for number in range(20):
            await it.pass_untouched(number)
        for side in (it.pair.caller, it.pair.callee):
            assert side.media.statistics().drops == {}
            assert said_of_phones(side) == ["SRTP"]
            bridge = side.media._sections[0].bridge
            assert bridge is not None
            assert bridge.reports.far_loss is None
            assert bridge.reports.round_trip_ms is None, "nothing is read in reports that are encrypted"
            assert bridge.reception.received == 20


async def test_the_far_phones_keys_come_first_and_each_has_a_tag_of_its_own() -> None:
    async with scene((SUITE, "AEAD_AES_128_GCM")) as it:
        offered = keys_in(await it.ring())
        assert [key.tag for key in offered] == [1, 2, 3, 4, 5, 6]
        assert [(key.suite, key.key) for key in offered[:2]] == [
            (key.suite, key.key) for key in it.caller.keys
        ]
        assert not {key.key for key in offered[2:]} & {key.key for key in it.caller.keys}


async def test_the_callers_second_suite_is_answered_under_its_tag() -> None:
    async with scene(("AEAD_AES_128_GCM", SUITE)) as it:
        answered = await it.answer(it.callee.answer(await it.ring()))
        assert keys_in(answered) == (replace(it.callee.keys[0], tag=2),)
        it.caller.answered(answered)
        await it.pair.secured()
        await it.pass_untouched(1)


async def test_each_phone_that_rings_beside_others_is_offered_keys_of_its_node_alone() -> None:
    async with scene() as it:
        offered = await it.ring(rings_alone=False)
        assert not {key.key for key in keys_in(offered)} & {key.key for key in it.caller.keys}
        it.caller.answered(await it.answer(it.callee.answer(offered)))
        await it.pair.secured()
        it.caller.say(rtp(1))
        await it.callee.hears(rtp(1))
        assert said_of_phones(it.pair.caller) == said_of_phones(it.pair.callee) == []


async def test_a_phone_that_chooses_a_key_of_its_node_is_served_by_it() -> None:
    async with scene((SUITE,), ("AEAD_AES_256_GCM",)) as it:
        answer = it.callee.answer(await it.ring())
        mesh = await it.pair.callee.media.answer_from_phone(answer)
        assert PHONE_CRYPTO.encode() not in mesh
        it.caller.answered(await it.pair.caller.media.answer_from_mesh(mesh))
        await it.pair.secured()
        it.caller.say(rtp(1))
        await it.callee.hears(rtp(1))
        it.callee.say(rtp(1, ssrc=9))
        await it.caller.hears(rtp(1, ssrc=9))
        it.caller.say_rtcp(sender_report())
        assert await it.callee.next_rtcp() == sender_report()
        assert said_of_phones(it.pair.callee) == []


@pytest.mark.parametrize("what", ["an older node", "a plain phone"])
async def test_whoever_knows_nothing_of_it_is_served_by_the_nodes(what: str) -> None:
    phone = SrtpPhone()
    async with call(caller={"phone": phone}) as pair:
        mesh = await pair.caller.media.offer_from_phone(phone.offer())
        assert LINE.search(mesh)
        offered = await pair.callee.media.offer_from_mesh(
            without_keys(mesh) if what == "an older node" else mesh
        )
        assert b"crypto" not in offered
        answer = await pair.callee.media.answer_from_phone(pair.callee.phone.sdp())
        phone.answered(await pair.caller.media.answer_from_mesh(answer))
        pair.callee.phone.listen_to(offered)
        await pair.secured()
        phone.say(rtp(1))
        await pair.callee.phone.hears(rtp(1))
        pair.callee.phone.send(rtp(2))
        await phone.hears(rtp(2))


async def test_a_phone_that_may_be_plain_tells_nobody_its_keys() -> None:
    """RTP/AVP with keys is no offer of SRTP to us: it is answered in the clear, as ever."""
    async with call() as pair:
        lines = "".join(f"{key.line()}\r\n" for key in SrtpPhone().keys)
        mesh = await pair.caller.media.offer_from_phone(pair.caller.phone.sdp(extra=lines))
        assert b"crypto" not in mesh


async def test_an_anonymous_caller_tells_no_keys_and_takes_none() -> None:
    async with scene(anonymous=True) as it:
        mesh = await it.pair.caller.media.offer_from_phone(it.caller.offer())
        assert not LINE.search(mesh)
        offered = it.pair.callee.media.secure_offer(
            await it.pair.callee.media.offer_from_mesh(mesh), b"", rings_alone=True
        )
        mesh = await it.pair.callee.media.answer_from_phone(it.callee.answer(offered))
        with pytest.raises(MediaRefused, match="was not offered"):
            await it.pair.caller.media.answer_from_mesh(mesh + told(it.callee.keys[0]))
        it.caller.answered(await it.pair.caller.media.answer_from_mesh(mesh))
        await it.pair.secured()
        it.caller.say(rtp(1))
        await it.callee.hears(rtp(1))


async def test_hold_resume_and_refresh_by_either_side_change_nothing() -> None:
    async with talking() as it:
        await it.pass_untouched(1)
        for version, direction in ((2, "sendonly"), (3, "sendrecv"), (3, "sendrecv")):
            await it.change_by_caller(direction=direction, version=version)
            await it.change_by_callee(direction=direction, version=version)
        await it.pass_untouched(2)
        for side in (it.pair.caller, it.pair.callee):
            assert said_of_phones(side) == ["SRTP"]
            assert side.media.statistics().drops == {}


@pytest.mark.parametrize("by_caller", [True, False])
async def test_when_one_side_no_longer_passes_it_on_the_nodes_do_and_back(*, by_caller: bool) -> None:
    async with talking() as it:
        change = it.change_by_caller if by_caller else it.change_by_callee
        await it.pass_untouched(1)
        it.between = without_keys
        await change(version=2)
        await it.pass_by_the_nodes(2)
        it.between = bytes
        await change(version=3)
        await it.pass_untouched(3)
        it.between = without_keys
        await change(version=4)
        await it.pass_by_the_nodes(4)
        for side in (it.pair.caller, it.pair.callee):
            assert said_of_phones(side) == ["SRTP", "", "SRTP", ""]


async def test_there_is_no_way_back_when_the_nodes_have_carried_it_for_long() -> None:
    """The far phone would have lost count of the rollovers."""
    async with talking() as it:
        it.between = without_keys
        await it.change_by_caller(version=2)
        agreed = it.pair.caller.media._sections[0].keys.crypto._agreed
        assert agreed is not None
        agreed.opener.opened = MAX_OPENED
        it.between = bytes
        await it.change_by_caller(version=3)
        await it.pass_by_the_nodes(2)


async def test_a_change_that_is_refused_changes_nothing() -> None:
    async with talking() as it:
        it.between = without_keys
        mesh = await it.pair.caller.media.offer_from_phone(it.caller.offer(version=2))
        await it.pair.callee.media.offer_from_mesh(it.between(mesh))
        await it.pass_untouched(1)
        mesh = await it.pair.callee.media.offer_from_phone(it.callee.offer(version=2))
        await it.pair.caller.media.offer_from_mesh(it.between(mesh))
        await it.pass_untouched(2)
        it.between = bytes
        await it.change_by_callee(version=3)
        await it.pass_untouched(3)


@pytest.mark.parametrize("by_caller", [True, False])
async def test_who_has_encrypted_may_not_go_on_in_the_clear(*, by_caller: bool) -> None:
    async with talking() as it:
        await it.change_by_callee(version=2)  # from here on the callee has offered, too
        by, to = it.pair.caller, it.pair.callee
        if not by_caller:
            by, to = to, by
        with pytest.raises(MediaRefused, match="stopped to encrypt"):
            await by.media.offer_from_phone(by.phone.sdp(version=3))
        mesh = await to.media.offer_from_phone(to.phone.offer(version=3))  # type: ignore[attr-defined]
        await by.media.offer_from_mesh(mesh)
        with pytest.raises(MediaRefused, match="stopped to encrypt"):
            await by.media.answer_from_phone(by.phone.sdp(version=3))
        await it.pass_untouched(1)


async def test_a_phone_with_new_keys_tells_them_to_the_far_phone() -> None:
    async with talking() as it:
        await it.pass_untouched(1)
        for number, by, phone, to, other in (
            (2, it.pair.caller, it.caller, it.pair.callee, it.callee),
            (3, it.pair.callee, it.callee, it.pair.caller, it.caller),
        ):
            phone.new_keys()
            offered = await to.media.offer_from_mesh(await by.media.offer_from_phone(phone.offer(version=2)))
            assert keys_in(offered)[0].key == phone.keys[0].key
            assert len(keys_in(offered)) == 5, "or those of its node"
            answer = other.answer(offered)
            phone.answered(await by.media.answer_from_mesh(await to.media.answer_from_phone(answer)))
            await it.pass_untouched(number)
        for side in (it.pair.caller, it.pair.callee):
            assert said_of_phones(side) == ["SRTP"]


async def test_the_node_that_takes_over_knows_how_often_the_numbers_have_begun_anew() -> None:
    async with talking() as it:
        number = 65_000
        for _ in range(24):
            it.caller.send(sealed := it.caller.sealed(rtp(number)))
            assert await raw(it.callee.heard) == sealed
            number += FOLLOWED
        assert number > 2 * 65_536
        it.between = without_keys
        await it.change_by_caller(version=2)
        it.caller.say(rtp(number))
        assert (await it.callee.next())[12:] == rtp(1)[12:]


async def test_an_early_answer_from_end_to_end_and_a_later_one_that_is_not() -> None:
    """The caller has been told a key; it stays so, whoever answers in the end."""
    async with scene() as it:
        early = it.callee.answer(await it.ring())
        it.caller.answered(first := await it.answer(early))
        await it.pair.secured()
        await it.pass_untouched(1)
        plain = await Phone().open()
        try:
            last = await it.answer(plain.sdp())
            assert keys_in(last) == keys_in(first)
            plain.node = it.callee.node
            it.caller.say(rtp(2))
            await plain.hears(rtp(2))
            plain.send(rtp(3, ssrc=9))
            assert (await it.caller.next())[12:] == rtp(3)[12:]
        finally:
            plain.close()
        assert said_of_phones(it.pair.caller) == ["SRTP", ""]


def told(key: Crypto) -> bytes:
    return f"a={PHONE_CRYPTO}:{key.value()}\r\n".encode()


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        (told(Crypto(2, SUITE, bytes(30))), "was not offered"),
        (told(Crypto(1, "AEAD_AES_128_GCM", bytes(28))), "was not offered"),
        (told(Crypto(1, SUITE, bytes(30))) * 2, "no usable key"),
        (b"a=fc-phone-crypto\r\n", "no usable key"),
        (b"a=fc-phone-crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA\r\n", "no usable key"),
        (b"a=fc-phone-crypto:1 NULL inline:" + b"A" * 40 + b"\r\n", "no usable key"),
        (told(Crypto(1, SUITE, bytes(30)))[:-2] + b" UNENCRYPTED_SRTP\r\n", "no usable key"),
        (told(Crypto(1, SUITE, bytes(30)))[:-2] + b"|2^20|1:4\r\n", "no usable key"),
    ],
)
async def test_an_answer_that_cannot_be_one_is_refused_and_nothing_has_changed(
    lines: bytes, match: str
) -> None:
    async with scene() as it:
        mesh = await it.pair.callee.media.answer_from_phone(it.callee.answer(await it.ring()))
        with pytest.raises(MediaRefused, match=match) as refused:
            await it.pair.caller.media.answer_from_mesh(without_keys(mesh) + lines)
        assert refused.value.status == 488
        leg = it.pair.caller.media._sections[0].phone
        leg.send(rtp(1))
        assert leg.dropped == {"phone_before_keys": 1}, "nothing goes to a phone that insists on SRTP"
        it.caller.answered(await it.pair.caller.media.answer_from_mesh(mesh))
        await it.pair.secured()
        await it.pass_untouched(1)


async def test_a_key_for_a_phone_that_is_plain_is_refused() -> None:
    async with call() as pair:
        await pair.ring()
        mesh = await pair.callee.media.answer_from_phone(pair.callee.phone.sdp())
        with pytest.raises(MediaRefused, match="was not offered"):
            await pair.caller.media.answer_from_mesh(mesh + told(Crypto(1, SUITE, bytes(30))))
        pair.caller.phone.listen_to(await pair.caller.media.answer_from_mesh(mesh))


async def test_what_a_phone_or_a_peer_writes_under_our_attribute_goes_no_further() -> None:
    line = told(Crypto(1, SUITE, bytes(30)))
    async with call() as pair:
        mesh = await pair.caller.media.offer_from_phone(pair.caller.phone.sdp(extra=line.decode()))
        assert not LINE.search(mesh)
        assert not LINE.search(await pair.callee.media.offer_from_mesh(mesh + line * 20))
        mesh = await pair.callee.media.answer_from_phone(pair.callee.phone.sdp(extra=line.decode()))
        assert not LINE.search(mesh)


async def test_only_what_the_phone_has_proven_makes_the_node_send_elsewhere() -> None:
    async with talking() as it:
        await it.pass_untouched(1)
        leg = it.pair.caller.media._sections[0].phone
        leg._last_heard -= 10  # the phone has been silent for long
        stranger = await Phone().open()
        try:
            stranger.node = it.caller.node
            stranger.send(with_other_key().sealed(rtp(5)))
            await until(lambda: leg.dropped.get("phone_forged") == 1)
            stranger.send_rtcp(with_other_key().sealed(sender_report(8)))
            await until(lambda: leg.dropped.get("phone_forged") == 2)
            await it.pass_untouched(2)
            assert stranger.heard.empty()
            assert stranger.heard_rtcp.empty()
        finally:
            stranger.close()


def with_other_key() -> SrtpPhone:
    phone = SrtpPhone()
    phone.outbound = Srtp(SUITES[SUITE], phone.keys[0].key, outbound=True)
    return phone


async def test_a_phone_that_begins_its_numbers_anew_is_not_heard_under_another_ssrc() -> None:
    """Its tag covers the SSRC; and under its key it has used that keystream before."""
    async with talking() as it:
        it.caller.say(rtp(30_000))
        await it.callee.hears(rtp(30_000))
        again = Srtp(SUITES[SUITE], it.caller.keys[0].key, outbound=True)
        it.caller.send(again.process(rtp(1)) or b"")
        side = it.pair.caller.media
        await until(lambda: side.statistics().drops == {"repeated_by_phone": 1})
        it.caller.say(rtp(30_001))
        await it.callee.hears(rtp(30_001))


async def test_a_phone_that_is_sent_on_keeps_both_keys_and_ends_at_its_node() -> None:
    """A transfer: the same phone in another call, with a phone that does not encrypt."""
    async with talking() as it:
        await it.pass_untouched(1)
        async with call() as other:
            mesh = await other.caller.media.offer_from_phone(it.caller.offer())
            assert not LINE.search(mesh), "nobody else could follow its stream"
            other.callee.phone.listen_to(await other.callee.media.offer_from_mesh(mesh))
            mesh = await other.callee.media.answer_from_phone(other.callee.phone.sdp())
            answered = await other.caller.media.answer_from_mesh(mesh)
            (key,) = keys_in(answered)
            assert it.caller.inbound_key == (key.suite, key.key), "it need not take another"
            it.caller.listen_to(answered)
            await other.secured()
            it.caller.say(rtp(2))
            await other.callee.phone.hears(rtp(2))
            other.callee.phone.send(rtp(1, ssrc=9))
            heard = await it.caller.next()
            assert heard[12:] == rtp(1)[12:]
            assert heard[8:12] != rtp(1, ssrc=9)[8:12], "that stream of this key was the far phone's"


async def test_a_phone_that_is_taken_over_keeps_both_keys_and_ends_at_its_node() -> None:
    async with talking() as it:
        await it.pass_untouched(1)
        newcomer = SrtpPhone()
        async with call(caller={"phone": newcomer}) as other:
            mesh = await other.caller.media.offer_from_phone(newcomer.offer())
            said = it.callee.description((it.callee.keys[0],))
            offered = await other.callee.media.offer_from_mesh(mesh)
            offered = other.callee.media.secure_offer(offered, said, rings_alone=True)
            (key,) = keys_in(offered)
            assert it.callee.inbound_key == (key.suite, key.key)
            it.callee.listen_to(offered)
            answer = it.callee.description((it.callee.under_the_tag_of(offered),))
            mesh = await other.callee.media.answer_from_phone(answer)
            assert not LINE.search(mesh)
            newcomer.answered(await other.caller.media.answer_from_mesh(mesh))
            await other.secured()
            newcomer.say(rtp(1))
            assert (await it.callee.next())[12:] == rtp(1)[12:]
            it.callee.say(rtp(2, ssrc=9))
            await newcomer.hears(rtp(2, ssrc=9))


async def test_no_keys_are_told_by_what_is_shown() -> None:
    async with talking() as it:
        for side, key in ((it.pair.caller, it.callee.keys[0]), (it.pair.callee, it.caller.keys[0])):
            crypto = side.media._sections[0].keys.crypto
            shown = repr((crypto.own, crypto.shared, crypto, vars(crypto)["_far"], side.events))
            assert repr(key.key)[2:-1] not in shown
            assert key.value().rpartition(":")[2] not in shown
