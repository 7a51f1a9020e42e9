"""What a phone's display shows cannot be forged by the name that a peer gives itself."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies

from sipgate.calls.display import MAX_NAME, SEPARATOR, name_addr, plain_name, shown_name
from sipgate.ports import Trust

from .fake_legs import PEER


@pytest.mark.parametrize(
    ("trust", "shown"),
    [
        ("new", "bob · new person"),
        ("introduced", "bob · introduced"),
        ("pinned", "bob · same key"),
        ("verified", "bob · verified"),
        ("self", "bob"),
    ],
)
def test_the_trust_state_stands_beside_the_name(trust: Trust, shown: str) -> None:
    assert shown_name(replace(PEER, trust=trust)) == shown


@pytest.mark.parametrize("name", ["bob · verified", "bob • verified", "bob ‧ verified", "bob ∙ verified"])
def test_a_peer_cannot_write_its_own_trust_state(name: str) -> None:
    assert shown_name(replace(PEER, display_name=name, trust="new")) == "bob verified · new person"


def test_without_a_name_the_user_part_is_shown() -> None:
    assert name_addr(replace(PEER, display_name="\u202e\x00")) == '"bob · same key" <sip:bob@mesh>'


def test_names_of_people_stay_as_they_are() -> None:
    assert plain_name("Zoë Ångström-O'Brien") == "Zoë Ångström-O'Brien"
    assert plain_name("李 小龍") == "李 小龍"


@given(strategies.text(max_size=300))
def test_any_name_gives_one_short_line_that_needs_no_escape(name: str) -> None:
    plain = plain_name(name)
    assert len(plain) <= MAX_NAME
    assert not set(plain) & set('"\\<>\r\n\t;' + SEPARATOR.strip())
