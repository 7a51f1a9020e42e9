"""Which networks a node takes part in, and that a list that cannot be had stops nobody."""

from pathlib import Path

import pytest

from freecall.bootstrap import OWN, KnownKey, sign_list
from freecall.bootstrap_lists import BootstrapLists
from freecall.errors import ConfigError
from freecall.meshes import choose_meshes, open_directory
from freecall.store import DataDirectory
from overlay.identity import NodeKey
from overlay.overlay import Overlay
from overlay.overlays import Overlays
from overlay.peers import RememberedPeers
from overlay.protocol.bootstrap_list import BootstrapList, Entry, SignedList
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.network import PUBLIC, Network
from tests.freecall.test_bootstrap_source import server
from tests.overlay.swarm import LOOPBACK, Swarm
from trust.keyring import open_keyring

MADE = 1_780_000_000
DAY = 86_400
FLOOD = Network(bytes(16))


def listed(name: str, *endpoints: Endpoint, network: Network = PUBLIC, lifetime: int = 0) -> BootstrapList:
    """Return a list."""
    return BootstrapList(name, tuple(map(Entry, endpoints)), MADE, lifetime, network)


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    """Return a data directory."""
    return DataDirectory(tmp_path / "data")


async def test_without_lists_there_is_the_public_network(data: DataDirectory) -> None:
    meshes = await choose_meshes(data, (), (), (), now=MADE)
    assert meshes.described() == [{"name": "public", "network": PUBLIC.label, "private": False}]
    assert meshes.warnings == ()


async def test_a_list_in_the_configuration_is_taken_and_kept(data: DataDirectory, tmp_path: Path) -> None:
    file = tmp_path / "flood.fclist"
    file.write_bytes(bytes(SignedList(bytes(listed("flood", Endpoint("192.0.2.1", 1), network=FLOOD)))))
    meshes = await choose_meshes(data, [str(file)], (), (), now=MADE)
    assert [one.network for one in meshes.networks] == [FLOOD]
    file.unlink()
    again = await choose_meshes(data, [str(file)], (), (), now=MADE)
    assert [one.network for one in again.networks] == [FLOOD]
    assert again.warnings == (f"{file} cannot be read (No such file or directory).",)


async def test_a_list_from_the_web_is_taken_when_somebody_known_signed_it(
    data: DataDirectory, tmp_path: Path
) -> None:
    keyring = await open_keyring(tmp_path / "alice", "alice <sip:alice@mesh>", backend="sequoia")
    signed = await sign_list(listed("flood", Endpoint("192.0.2.1", 1)), keyring)
    known = [KnownKey(OWN, await keyring.export())]
    with server(bytes(signed)) as url:
        (warning,) = (await choose_meshes(data, [url], (), (), now=MADE)).warnings
        assert warning.startswith(f"The list from {url} is refused: it came over plain http")
        assert (await choose_meshes(data, [url], (), known, now=MADE)).warnings == ()
    assert BootstrapLists(data).networks()[0].name == "flood"


async def test_a_network_without_a_list_stops_the_start_with_a_sentence(data: DataDirectory) -> None:
    with pytest.raises(ConfigError, match="fc-bootstrap import"):
        await choose_meshes(data, (), ["flood"], (), now=MADE)


async def test_an_old_list_is_told_and_used(data: DataDirectory) -> None:
    async with Swarm() as swarm:
        old = await swarm.start(network=FLOOD)
        BootstrapLists(data).keep(
            SignedList(bytes(listed("flood", old.endpoint, network=FLOOD, lifetime=30)))
        )
        meshes = await choose_meshes(data, (), (), (), now=MADE + 300 * DAY)
        assert "300 days old" in meshes.warnings[0]
        overlay = open_directory(
            NodeKey.generate(), meshes, data, listen=[LOOPBACK], bootstrap=(), now=MADE + 300 * DAY
        )
        assert isinstance(overlay, Overlay)
        async with overlay:
            assert await overlay.join() == 1
    assert RememberedPeers(BootstrapLists(data).peers(FLOOD)).load() == [old.endpoint]
    assert RememberedPeers(BootstrapLists(data).peers(PUBLIC)).load() == []


async def test_a_guest_changes_nothing(data: DataDirectory) -> None:
    async with Swarm() as swarm:
        node = await swarm.start()
        meshes = await choose_meshes(data, (), (), (), now=MADE)
        guest = open_directory(
            NodeKey.generate(),
            meshes,
            data,
            listen=[LOOPBACK],
            bootstrap=[node.endpoint],
            now=MADE,
            client=True,
        )
        async with guest:
            assert await guest.join() == 1
    assert not data.path.exists()


async def test_several_networks_are_one_directory(data: DataDirectory) -> None:
    async with Swarm() as flood, Swarm() as public:
        one, other = await flood.start(network=FLOOD), await public.start()
        lists = BootstrapLists(data)
        lists.keep(SignedList(bytes(listed("flood", one.endpoint, network=FLOOD))))
        lists.keep(SignedList(bytes(listed("everybody", other.endpoint))))
        meshes = await choose_meshes(data, (), ["flood", "public"], (), now=MADE)
        overlays = open_directory(NodeKey.generate(), meshes, data, listen=[LOOPBACK], bootstrap=(), now=MADE)
        assert isinstance(overlays, Overlays)
        async with overlays:
            assert await overlays.join() == 2
