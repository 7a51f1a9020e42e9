"""Each attack on the way is found out, or does no harm, and each victim says the right thing."""

import pytest

from tests.attack import path
from tests.attack.rig import Attack, attacked, hurried


@pytest.mark.parametrize("attack", path.ATTACKS, ids=lambda attack: attack.__name__)
async def test_is_found_out(attack: type[Attack], monkeypatch: pytest.MonkeyPatch) -> None:
    hurried(monkeypatch)
    assert not list((await attacked(attack())).complaints(attack()))
