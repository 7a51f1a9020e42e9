"""Each handshake that is not as it must be fails, and each victim says the right thing."""

import pytest

from tests.attack import handshake
from tests.attack.rig import Attack, attacked, hurried


@pytest.mark.parametrize("attack", handshake.ATTACKS, ids=lambda attack: attack.__name__)
async def test_is_found_out(attack: type[Attack], monkeypatch: pytest.MonkeyPatch) -> None:
    hurried(monkeypatch)
    with handshake.weak_handshakes():
        assert not list((await attacked(attack())).complaints(attack()))
