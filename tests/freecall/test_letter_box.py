"""Letters on disk: quotas, restarts, damage; and what was delivered."""

import dataclasses
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freecall.letter_box import Box, BoxFull, Delivered, Kept, LetterBox, Quota
from freecall.letter_states import State
from freecall.store import FileStore

BOB, CAROL = "B" * 40, "C" * 40


def letter(number: int, fingerprint: str = BOB, box: Box = "in", **changes: object) -> Kept:
    kept = Kept(f"{number:032x}", box, "sip:bob@mesh", fingerprint, 1.0 + number, 100.0, sealed=b"x" * 100)
    return dataclasses.replace(kept, **changes)  # type: ignore[arg-type]


def test_what_waits_is_there_after_a_restart_oldest_first(tmp_path: Path) -> None:
    box = LetterBox(tmp_path / "letters")
    letters = [
        letter(3, key=b"key", known=False),
        letter(1, state=State.LEFT, sealed=b"", box="out"),
        letter(2, quiet=True, problem="Ünlesbar"),
    ]
    for kept in letters:
        box.add(kept)
    again = LetterBox(tmp_path / "letters")
    assert again.all("in") == [letters[2], letters[0]]
    assert again.all("out") == [letters[1]]
    assert stat.S_IMODE((tmp_path / "letters").stat().st_mode) == 0o700
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in (tmp_path / "letters").iterdir())


def test_what_is_gone_leaves_nothing_behind(tmp_path: Path) -> None:
    box = LetterBox(tmp_path / "letters")
    box.add(letter(1))
    box.add(letter(2))
    box.drop(letter(1))
    box.change(letter(2), state=State.GONE)
    assert box.all("in") == []
    assert list((tmp_path / "letters").iterdir()) == []
    box.drop(letter(3))


def test_a_damaged_file_stays_and_hides_nothing_else(tmp_path: Path) -> None:
    box = LetterBox(tmp_path / "letters")
    box.add(letter(1))
    (tmp_path / "letters" / "in-damaged.letter").write_bytes(b'{"id": 1}')
    (tmp_path / "letters" / ".in-1.letter.5.new").write_bytes(b"half")
    assert LetterBox(tmp_path / "letters").all("in") == [letter(1)]
    assert not (tmp_path / "letters" / ".in-1.letter.5.new").exists()


@pytest.mark.parametrize(
    ("quota", "others", "refused"),
    [
        (Quota(letters=3), [letter(1), letter(2, CAROL), letter(3)], letter(9)),
        (Quota(size=350), [letter(1), letter(2, CAROL), letter(3)], letter(9)),
        (Quota(letters_per_person=2), [letter(1), letter(2), letter(3, CAROL)], letter(9)),
        (Quota(size_per_person=250), [letter(1), letter(2), letter(3, CAROL)], letter(9)),
        (
            Quota(letters=8),
            [letter(1, "1" * 40, known=False), letter(2, "2" * 40, known=False)],
            letter(9, known=False),
        ),
        (
            Quota(size=800),
            [letter(1, "1" * 40, known=False), letter(2, "2" * 40, known=False)],
            letter(9, known=False),
        ),
    ],
)
def test_a_box_that_is_full_says_so(tmp_path: Path, quota: Quota, others: list[Kept], refused: Kept) -> None:
    box = LetterBox(tmp_path / "letters", quota)
    for kept in others:
        box.add(kept)
    with pytest.raises(BoxFull, match="wait already"):
        box.add(refused)
    assert box.all("in") == others
    box.add(dataclasses.replace(refused, box="out"))  # the other box has room of its own
    box.drop(others[0])
    box.add(refused)


def test_strangers_leave_room_for_those_we_know(tmp_path: Path) -> None:
    box = LetterBox(tmp_path / "letters", Quota(letters=40))
    taken = 0
    for number in range(100):
        try:
            box.add(letter(number, f"{number:040X}", known=False))
            taken += 1
        except BoxFull:
            continue
    assert taken == 10
    for number in range(30):
        box.add(letter(1000 + number))


def test_each_letter_is_known_again_after_a_restart(tmp_path: Path) -> None:
    delivered = Delivered(FileStore(tmp_path / "delivered"))
    ids = [f"{number:032x}" for number in range(50)]
    for id_ in ids:
        delivered.add(id_, BOB)
        delivered.add(id_, BOB)
    again = Delivered(FileStore(tmp_path / "delivered"))
    assert len(again) == 50
    assert all(id_ in again for id_ in ids)
    assert "f" * 32 not in again


def test_the_memory_is_bounded_and_a_flood_pushes_out_its_own(tmp_path: Path) -> None:
    delivered = Delivered(FileStore(tmp_path / "delivered"), limit=20)
    mine = [f"{number:032x}" for number in range(5)]
    for id_ in mine:
        delivered.add(id_, BOB)
    flood = [f"{number:032x}" for number in range(100, 200)]
    for id_ in flood:
        delivered.add(id_, CAROL)
    assert len(delivered) == 20
    assert all(id_ in delivered for id_ in mine)
    assert [id_ in delivered for id_ in flood[-15:]] == [True] * 15


@given(
    st.binary(max_size=40),
    st.binary(max_size=40),
    st.sampled_from(State),
    st.text(max_size=30),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_what_is_written_can_be_read(
    sealed: bytes, key: bytes, state: State, problem: str, known: bool, at: float
) -> None:
    kept = letter(1, sealed=sealed, key=key, state=state, problem=problem, known=known, written_at=at)
    assert Kept.parse(bytes(kept)) == kept
