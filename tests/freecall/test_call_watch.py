"""What the events of a node say of its calls: those in progress, and what is put down when they are over."""

from typing import Any

import pytest

from freecall.call_record import CallRecord, Sound
from freecall.call_watch import MAX_CALLS, CallWatch
from freecall.events import EventLog

BOB = "sip:bob@mesh"


class Book:
    """Takes what is put down."""

    def __init__(self) -> None:
        self.records: list[CallRecord] = []
        self.marked: list[tuple[str, str]] = []
        self.sounds: dict[str, Sound] = {}
        self.has_rung = True

    def add(self, record: CallRecord) -> None:
        self.records.append(record)

    def note_sound(self, call: str, sound: Sound) -> None:
        self.sounds[call] = sound

    def mark_missed(self, call_id: str, peer: str) -> bool:
        self.marked.append((call_id, peer))
        return self.has_rung


class Scene:
    """A watch, its book, and clocks that the test sets."""

    def __init__(self) -> None:
        self.wall, self.now = 1000.0, 5.0
        self.book = Book()
        self.watch = CallWatch(self.book, lambda: self.now)
        self.log = EventLog(lambda: self.wall)
        self.log.print_with(self.watch.observe)

    def start(self, call: str = "1", direction: str = "out", **fields: Any) -> None:
        begin = {
            "peer": BOB,
            "display": "Bob",
            "trust": "pinned",
            "call_id": f"id-{call}",
            "anonymous": False,
        }
        self.log.emit("call_started", call=call, direction=direction, **{**begin, **fields})

    def end(self, call: str = "1", by: str = "peer", status: int = 200, reason: str = "bye") -> None:
        self.log.emit("call_ended", call=call, peer=BOB, by=by, status=status, reason=reason)


def test_a_call_is_followed_from_its_start_to_its_end() -> None:
    it = Scene()
    it.start()
    assert [call["state"] for call in it.watch.current()] == ["calling"]
    it.log.emit("call_ringing", call="1")
    assert [call["state"] for call in it.watch.current()] == ["ringing"]
    it.log.emit("call_answered", call="1")
    it.log.emit("call_secured", call="1", signed=True, fingerprint="AB")
    it.log.emit("call_hearing", call="1", they_hear_you="no", you_hear_them="yes")
    it.now += 65
    (standing,) = it.watch.current()
    assert (standing["they_hear_you"], standing["you_hear_them"]) == ("no", "yes")
    assert (standing["state"], standing["duration"], standing["signed"]) == ("answered", 65, True)
    it.end()
    assert it.watch.current() == []
    assert it.book.records == [
        CallRecord(
            "1",
            "out",
            BOB,
            1000.0,
            display="Bob",
            trust="pinned",
            call_id="id-1",
            answered=True,
            duration=65,
            fingerprint="AB",
            signed=True,
            by="peer",
            status=200,
            reason="bye",
        )
    ]


def test_a_clock_that_is_set_in_a_call_does_not_change_how_long_it_was() -> None:
    it = Scene()
    it.start()
    it.log.emit("call_answered", call="1")
    it.now, it.wall = it.now + 3, it.wall + 1e9
    it.end()
    assert it.book.records[0].duration == 3


def test_early_media_rings_on_after_the_answer_is_no_step_back() -> None:
    it = Scene()
    it.start()
    it.log.emit("call_answered", call="1")
    it.log.emit("call_ringing", call="1")
    assert it.watch.current()[0]["state"] == "answered"


def test_a_name_that_nobody_has_is_a_call_that_was_tried() -> None:
    it = Scene()
    it.log.emit("call_refused", call="1", peer=BOB, direction="out", status=404, reason="Nobody")
    (record,) = it.book.records
    assert (record.direction, record.peer, record.status, record.answered) == ("out", BOB, 404, False)


def test_who_was_turned_away_before_it_rang_leaves_nothing() -> None:
    it = Scene()
    it.log.emit("call_refused", call="1", peer=BOB, direction="in", status=403, reason="Another key")
    it.log.emit("call_ended", call="2", by="phone", status=487, reason="given up while looking")
    assert it.book.records == []


def test_a_call_that_rang_in_vain_is_put_down_and_then_marked() -> None:
    it = Scene()
    it.start(direction="in")
    it.log.emit("call_refused", call="1", peer=BOB, direction="in", status=480, reason="Nobody answered")
    it.log.emit("call_missed", call_id="id-1", user="me", peer=BOB, display="Bob", trust="pinned")
    assert [record.reason for record in it.book.records] == ["Nobody answered"]
    assert it.book.marked == [("id-1", BOB)]


def test_a_call_while_no_phone_was_on_is_put_down_as_missed() -> None:
    it = Scene()
    it.book.has_rung = False
    it.log.emit("call_missed", call_id="id-1", user="me", peer=BOB, display="Bob", trust="new")
    it.log.emit("call_refused", call="1", peer=BOB, direction="in", status=480, reason="No phone")
    (record,) = it.book.records
    assert record.missed
    assert (record.direction, record.peer, record.trust, record.call_id) == ("in", BOB, "new", "id-1")


def test_a_call_to_oneself_is_one_call() -> None:
    it = Scene()
    it.start("1", trust="self", call_id="same")
    it.start("2", "in", trust="self", call_id="same")
    it.log.emit("call_missed", call_id="same", user="me", peer=BOB, display="", trust="self")
    assert [call["call"] for call in it.watch.current()] == ["1"]
    it.end("1")
    it.end("2")
    assert [record.call for record in it.book.records] == ["1"]


def test_nobody_hides_a_call_behind_the_call_id_of_another() -> None:
    it = Scene()
    it.start("1", call_id="same")
    it.start("2", "in", call_id="same")
    assert [call["call"] for call in it.watch.current()] == ["1", "2"]


def test_so_many_calls_are_followed_and_no_more() -> None:
    it = Scene()
    for number in range(MAX_CALLS + 1):
        it.start(str(number))
    assert len(it.watch.current()) == MAX_CALLS
    assert "0" not in it.watch


QUALITY = {"received": 490, "lost": 10, "mos": 4.1, "jitter_ms": 3.5, "round_trip_ms": None}
SOUND = {"mos": 4.1, "loss": 0.02, "jitter_ms": 3.5, "round_trip_ms": None}


def test_a_call_is_shown_with_what_it_sounds_like() -> None:
    it = Scene()
    it.start()
    it.log.emit("call_answered", call="1")
    assert it.watch.current()[0]["mos"] is None
    it.log.emit("call_quality", call="1", **QUALITY)
    (shown,) = it.watch.current()
    assert {name: shown[name] for name in SOUND} == SOUND
    it.end()
    assert it.book.records[0].mos == 4.1


@pytest.mark.parametrize("by", ["ZRTP", "SRTP"])
def test_a_call_is_shown_with_how_the_phones_secure_themselves_as_long_as_they_do(by: str) -> None:
    it = Scene()
    it.start()
    it.log.emit("phones_secure_themselves", call="1", by=by)
    (shown,) = it.watch.current()
    assert (shown["phones_secure_themselves"], shown["phones_secured_by"]) == (True, by)
    it.log.emit("phones_secure_themselves", call="1", by="")
    (shown,) = it.watch.current()
    assert (shown["phones_secure_themselves"], shown["phones_secured_by"]) == (False, "")


def test_what_a_call_sounded_like_may_be_told_after_its_end() -> None:
    it = Scene()
    it.start()
    it.end()
    it.log.emit("call_quality", call="1", **QUALITY)
    assert it.book.sounds == {"1": SOUND}


def test_a_forwarded_call_is_one_call_with_the_peer_that_it_reached() -> None:
    it = Scene()
    it.start()
    it.log.emit("call_secured", call="1", signed=True, fingerprint="AB")
    it.log.emit("call_forwarded", call="1", by=BOB, to="sip:carol@mesh", reason="away")
    it.wall += 5
    it.start(peer="sip:carol@mesh", call_id="id-2")
    it.log.emit("call_answered", call="1")
    it.end()
    (record,) = it.book.records
    assert (record.peer, record.forwarded_by, record.started_at) == ("sip:carol@mesh", BOB, 1000.0)
    assert (record.signed, record.fingerprint) == (False, "")
