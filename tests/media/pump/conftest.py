"""Calls over the compiled pump, in every test of this folder."""

import shutil
from collections.abc import AsyncIterator

import pytest

from media.pump import library
from media.pump.engine import Pump
from tests.media import call_pair


@pytest.fixture(autouse=True)
async def pump() -> AsyncIterator[Pump]:
    """Two threads that carry the calls of the test."""
    built = library.load()
    if built is None:
        assert shutil.which("cc") is None, "there is a compiler, but no pump: run scripts/setup"
        pytest.skip("the pump was not built: no C compiler")
    running = Pump(built, 2)
    call_pair.SOCKETS.append(running)
    yield running
    call_pair.SOCKETS.pop()
