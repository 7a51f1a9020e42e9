"""Keyrings for the tests: each backend, and two strangers of each."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from trust.keyring import Backend, Keyring, open_keyring

from .gpg import GpgHome, needs_gpg

BACKENDS = [pytest.param("gnupg", marks=needs_gpg), "sequoia"]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each backend by name."""
    name: Backend = request.param
    return name


@pytest.fixture
async def alice(tmp_path: Path, backend: Backend) -> AsyncIterator[Keyring]:
    """Alice's keyring."""
    async with AsyncExitStack() as stack:
        keyring = await open_keyring(tmp_path / "alice", "alice <sip:alice@mesh>", backend=backend)
        stack.push_async_callback(keyring.aclose)
        yield keyring


@pytest.fixture
async def mallory(tmp_path: Path) -> AsyncIterator[Keyring]:
    """Somebody else's keyring, with a name that looks like alice's."""
    keyring = await open_keyring(tmp_path / "mallory", "alice <sip:alice@mesh>", backend="sequoia")
    yield keyring
    await keyring.aclose()


@pytest.fixture
def gpg(tmp_path: Path) -> Iterator[GpgHome]:
    """The real gpg in a home of its own."""
    with GpgHome(tmp_path / "gpg") as home:
        yield home
