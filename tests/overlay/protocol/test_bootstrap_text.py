"""Lists that people read aloud and type: what is mistyped is named."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from overlay.protocol.bootstrap_list import ListRefused
from overlay.protocol.bootstrap_text import (
    MAX_TEXT,
    QR_PREFIX,
    SYMBOLS,
    Mistyped,
    from_lines,
    from_word,
    to_lines,
    to_word,
)

DATA = bytes(range(100, 180))


@given(st.binary(min_size=1, max_size=300))
def test_what_was_written_is_read(data: bytes) -> None:
    assert from_lines("\n".join(to_lines(data))) == data
    assert from_word(to_word(data)) == data


def test_a_line_looks_like_this() -> None:
    assert to_lines(b"Free Call!") == ["1  0054-CWK5-CMG4-6RBC  8Q", "2  DGGX-TDS6-CM  13"]


@given(st.data())
def test_one_wrong_symbol_is_always_found_and_its_line_is_named(data: st.DataObject) -> None:
    lines = to_lines(DATA)
    number = data.draw(st.integers(0, len(lines) - 1))
    line = lines[number]
    places = [at for at in range(3, len(line)) if line[at] in SYMBOLS]
    place = data.draw(st.sampled_from(places))
    wrong = data.draw(st.sampled_from([symbol for symbol in SYMBOLS if symbol != line[place]]))
    lines[number] = line[:place] + wrong + line[place + 1 :]
    with pytest.raises(Mistyped, match=rf"Line {number + 1} is mistyped"):
        from_lines("\n".join(lines))


def test_two_neighbours_swapped_are_always_found() -> None:
    lines = to_lines(DATA)
    for number, line in enumerate(lines):
        symbols = line.split(maxsplit=1)[1].replace("-", "").replace(" ", "")
        for at in range(len(symbols) - 1):
            if symbols[at] == symbols[at + 1]:
                continue
            swapped = symbols[:at] + symbols[at + 1] + symbols[at] + symbols[at + 2 :]
            typed = [*lines[:number], f"{number + 1} {swapped}", *lines[number + 1 :]]
            with pytest.raises(Mistyped, match=f"Line {number + 1} is"):
                from_lines("\n".join(typed))


def test_several_mistyped_lines_are_all_named() -> None:
    lines = to_lines(DATA)
    for number in (1, 4, 6):
        lines[number] = lines[number][:-1] + ("0" if lines[number][-1] != "0" else "1")
    with pytest.raises(Mistyped, match="Lines 2, 5 and 7 are mistyped"):
        from_lines("\n".join(lines))


def test_a_missing_line_is_named() -> None:
    lines = to_lines(DATA)
    with pytest.raises(Mistyped, match=r"Line 3 is missing; the list has 9 lines"):
        from_lines("\n".join(lines[:2] + lines[3:]))
    with pytest.raises(Mistyped, match="Lines 8 and 9 are missing"):
        from_lines("\n".join(lines[:-2]))
    with pytest.raises(Mistyped, match="Line 1 is missing"):
        from_lines("\n".join(lines[1:]))


def test_it_may_be_typed_as_people_type() -> None:
    lines = to_lines(DATA)
    numbered = "\n".join(f"  {number}.  {line.split(maxsplit=1)[1]}" for number, line in enumerate(lines, 1))
    assert from_lines(numbered) == DATA
    assert from_lines("\n".join(reversed(lines))) == DATA
    assert from_lines("\n".join(lines + lines[:2])) == DATA
    assert from_lines("Bootstrap list for flood\n" + "\n".join(lines) + "\nThe end.\n") == DATA
    body = [line.split(maxsplit=1) for line in lines]
    shouted = "\n".join(f"{n} {rest.lower().replace('0', 'o').replace('1', 'l')}" for n, rest in body)
    assert from_lines(shouted) == DATA


def test_a_line_mistyped_and_then_typed_again_is_right() -> None:
    lines = to_lines(DATA)
    wrong = lines[2][:-1] + ("0" if lines[2][-1] != "0" else "1")
    assert from_lines("\n".join([wrong, *lines])) == DATA


def test_lines_of_two_lists_are_not_mixed() -> None:
    one, other = to_lines(DATA), to_lines(bytes(reversed(DATA)))
    with pytest.raises(Mistyped, match="belong together"):
        from_lines("\n".join(one[:4] + other[4:]))
    with pytest.raises(Mistyped, match="two different lines 2"):
        from_lines("\n".join([*one, other[1]]))
    with pytest.raises(Mistyped, match="belong together"):
        from_lines("\n".join(to_lines(DATA)[:9] + to_lines(bytes(200))[9:]))


@example("fc1:")
@given(st.text(max_size=200))
def test_any_text_is_refused_in_words(text: str) -> None:
    for read in (from_lines, from_word):
        with pytest.raises((Mistyped, ListRefused)):
            read(text)


@pytest.mark.parametrize("middle", [" ", "\t", ".", " a", "- ", "1 ", "\x0b"])
def test_a_long_line_of_nonsense_is_refused_in_a_moment(middle: str) -> None:
    """Once 4,000 blanks took a minute, and twice as many eight: whoever serves a list would stop who reads it."""
    for end in ("", "!", " !", "a"):
        text = "1" + middle * ((MAX_TEXT - 3) // len(middle)) + end
        with pytest.raises((ListRefused, Mistyped)):
            from_lines(text)


def test_endless_text_is_refused() -> None:
    with pytest.raises(ListRefused, match="long"):
        from_lines("1 AAAA\n" * MAX_TEXT)


def test_the_word_is_safe_to_paste() -> None:
    word = to_word(bytes(range(256)))
    assert word.startswith(QR_PREFIX)
    assert all(symbol.isalnum() or symbol in "-_:" for symbol in word)
    for damaged in (word[:-1], word + "=", word.replace("A", "!"), word[:-1] + "\u00e9"):
        with pytest.raises(ListRefused, match="damaged"):
            from_word(damaged)
