"""No attack on a call that stands does harm, and each victim says the right thing."""

import pytest

from tests.attack import later
from tests.attack.rig import Attack, attacked, hurried


@pytest.mark.parametrize("attack", later.ATTACKS, ids=lambda attack: attack.__name__)
async def test_is_found_out(attack: type[Attack], monkeypatch: pytest.MonkeyPatch) -> None:
    hurried(monkeypatch)
    assert not list((await attacked(attack())).complaints(attack()))
