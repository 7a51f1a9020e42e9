"""Each attack is found out, or does no harm; each victim says the right thing; nothing goes in clear."""

import pytest

from tests.attack.campaign import ATTACKS, campaign

ROUNDS = 4
MANY = 10_000


async def test_hundreds_of_attacked_calls_end_as_they_must() -> None:
    report = await campaign(ROUNDS * len(ATTACKS))
    assert not report.complaints
    assert report.calls == ROUNDS * len(ATTACKS)
    assert report.plain == 0


@pytest.mark.long
@pytest.mark.timeout(7_200)
async def test_ten_thousand_attacked_calls_end_as_they_must() -> None:
    report = await campaign(MANY)
    assert not report.complaints
    assert report.calls == MANY
    assert report.plain == 0
