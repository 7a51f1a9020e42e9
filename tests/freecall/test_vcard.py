"""Address cards: what we write is read back, what others write is understood, and nothing else gets through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freecall.vcard import FOLD_BYTES, MAX_CARD_BYTES, Card, NoCard, read, split

FINGERPRINT = "0123456789ABCDEF0123456789ABCDEF01234567"
texts = st.text(
    st.characters().filter(lambda letter: letter.isprintable() or letter == "\n"), max_size=60
).map(str.strip)


@given(name=texts, note=texts, key=st.binary(max_size=300))
def test_what_is_written_is_read_back(name: str, note: str, key: bytes) -> None:
    card = Card("sip:bob@mesh", name, note, key, "" if key else FINGERPRINT)
    read_back = read(str(card))
    assert read_back == Card("sip:bob@mesh", name or "bob@mesh", note, key, "" if key else FINGERPRINT)


@given(name=texts, note=texts)
def test_no_line_is_longer_than_the_standard_allows(name: str, note: str) -> None:
    for line in str(Card("sip:bob@mesh", name, note, bytes(200))).split("\r\n"):
        assert len(line.encode()) <= FOLD_BYTES


@given(st.text(max_size=300))
def test_any_text_is_a_card_or_refused(text: str) -> None:
    for tried in (text, f"BEGIN:VCARD\n{text}\nEND:VCARD"):
        try:
            read(tried)
        except NoCard:
            continue


def test_a_card_of_another_program_is_understood() -> None:
    card = read(
        "begin:vcard\r\nVERSION:3.0\r\nN:Miller;Bob;;;\r\nFN:Bob Miller\\, MD\r\nitem1.IMPP;X-SERVICE-TYPE=SIP:\r\n"
        ' sip:bob@mesh\r\nTEL;TYPE="home,voice":+49 30 1\r\nNOTE:first\\nsecond\r\n'
        "KEY;ENCODING=b;TYPE=PGP:AAEC\r\nend:vcard\r\n"
    )
    assert card == Card("sip:bob@mesh", "Bob Miller, MD", "first\nsecond", b"\x00\x01\x02")


def test_a_file_is_split_into_its_cards_and_what_is_between_is_passed_over() -> None:
    one, other = str(Card("sip:bob@mesh")), str(Card("sip:carol@mesh"))
    assert [read(card).uri for card in split(f"junk\n{one}\n\n{other}BEGIN:VCARD\nFN:cut off")] == [
        "sip:bob@mesh",
        "sip:carol@mesh",
    ]


@pytest.mark.parametrize(
    ("inside", "sentence"),
    [
        ("VERSION:4.0\nFN:Bob\nIMPP:xmpp:bob@example.org", "The card of Bob has no mesh address"),
        ("VERSION:2.1\nIMPP:sip:bob@mesh", "of a version that is not known"),
        (
            "VERSION:4.0\nIMPP:sip:bob@mesh\nKEY:data:application/pgp-keys;base64,&&",
            "key in this address card",
        ),
        ("VERSION:4.0\nno property", "cannot be read at the line 'no property'"),
        ("VERSION:4.0\nNOTE:" + "x" * MAX_CARD_BYTES, "longer than 48 KiB"),
    ],
)
def test_what_is_wrong_with_a_card_is_said(inside: str, sentence: str) -> None:
    with pytest.raises(NoCard, match=sentence):
        read(f"BEGIN:VCARD\n{inside}\nEND:VCARD\n")
