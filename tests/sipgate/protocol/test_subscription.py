"""The headers of event notification."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipgate.protocol.errors import SipError
from sipgate.protocol.subscription import EventType, SubscriptionState


def test_a_package_is_read_without_case_and_with_its_id() -> None:
    assert EventType.parse("Presence ;id=3;x=y") == EventType("presence", "3")
    assert str(EventType("presence", "3")) == "presence;id=3"
    assert str(EventType.parse("message-summary")) == "message-summary"


def test_a_state_is_read_with_what_can_be_read_of_its_parameters() -> None:
    assert SubscriptionState.parse("Active;expires=60") == SubscriptionState("active", 60)
    assert SubscriptionState.parse("terminated;reason=Deactivated;retry-after=x") == SubscriptionState(
        "terminated", reason="deactivated"
    )
    assert SubscriptionState.parse("active;expires=99999999999").expires is None
    assert SubscriptionState.parse("active;expires=9999999999").expires == 2**32 - 1


@pytest.mark.parametrize("text", ["", ";id=1", "a b", "presence;id=1;id=2", 'presence;id="', "päckchen"])
def test_malformed_headers_are_refused(text: str) -> None:
    for kind in (EventType, SubscriptionState):
        with pytest.raises(SipError):
            kind.parse(text)


@given(
    st.sampled_from(["active", "pending", "terminated"]),
    st.none() | st.integers(0, 2**32 - 1),
    st.none() | st.sampled_from(["timeout", "noresource"]),
    st.none() | st.integers(0, 2**32 - 1),
)
def test_what_is_written_is_read_again(
    value: str, expires: int | None, reason: str | None, retry: int | None
) -> None:
    state = SubscriptionState(value, expires, reason, retry)
    assert SubscriptionState.parse(str(state)) == state


@given(st.text(max_size=60))
def test_no_text_raises_anything_else(text: str) -> None:
    for kind in (EventType, SubscriptionState):
        try:
            kind.parse(text)
        except SipError as error:
            assert error.status == 400  # noqa: PT017 - reading it is fine, too
