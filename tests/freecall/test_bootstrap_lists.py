"""What a data directory holds of lists, and which networks a node takes part in because of them."""

import os
from pathlib import Path

import pytest

from freecall.bootstrap_lists import MAX_LISTS, PUBLIC_NAME, BootstrapLists
from freecall.errors import ConfigError
from freecall.store import DataDirectory
from overlay.peers import RememberedPeers
from overlay.protocol.bootstrap_list import BootstrapList, Entry, SignedList
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.network import PUBLIC, Network

DAY = 86_400
MADE = 1_780_000_000
SECRET, OTHER = Network(bytes(16)), Network(bytes(range(16)))


def node(number: int, score: int = 50) -> Entry:
    """Return an entry."""
    return Entry(Endpoint("192.0.2.1", number), score)


def listed(
    name: str, *nodes: Entry, network: Network = PUBLIC, made: int = MADE, lifetime: int = 0
) -> SignedList:
    """Return an unsigned list."""
    return SignedList(bytes(BootstrapList(name, nodes, made, lifetime, network)))


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    """Return a data directory that does not exist yet."""
    return DataDirectory(tmp_path / "data")


def test_a_list_is_kept_once_and_is_private(data: DataDirectory) -> None:
    lists = BootstrapLists(data)
    assert lists.networks() == []
    assert lists.keep(listed("flood", node(1)))
    assert not lists.keep(listed("flood", node(1)))
    (file,) = data.path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    (known,) = BootstrapLists(data).networks()
    assert (known.name, known.network) == ("flood", PUBLIC)


def test_lists_of_one_network_are_one_and_bear_the_newest_name(data: DataDirectory) -> None:
    lists = BootstrapLists(data)
    lists.keep(listed("old name", node(1, 100), network=SECRET, made=MADE - DAY))
    lists.keep(listed("new name", node(2, 40), network=SECRET))
    (known,) = lists.networks()
    assert known.name == "new name"
    assert [entry.endpoint.port for entry in lists.entries(known, MADE)] == [1, 2]


def test_those_met_come_before_those_of_the_lists(data: DataDirectory) -> None:
    lists = BootstrapLists(data)
    lists.keep(listed("flood", node(1, 100), node(2, 80), network=SECRET))
    (known,) = lists.networks()
    RememberedPeers(lists.peers(SECRET)).save([Endpoint("192.0.2.1", 2), Endpoint("192.0.2.1", 3)])
    assert [entry.endpoint.port for entry in lists.entries(known, MADE)] == [2, 3, 1]
    assert RememberedPeers(lists.peers(PUBLIC)).load() == []


def test_there_is_a_limit_and_the_oldest_go(data: DataDirectory) -> None:
    lists = BootstrapLists(data)
    for number in range(MAX_LISTS + 5):
        lists.keep(listed("flood", node(1 + number), made=MADE + number))
    (known,) = lists.networks()
    assert sorted(made.created - MADE for made in known.lists) == list(range(5, MAX_LISTS + 5))
    lists.keep(listed("flood", node(1), made=0))
    assert 0 in {made.created for made in lists.networks()[0].lists}, "what was just imported stays"


def test_a_private_network_is_the_only_one_unless_others_are_named(data: DataDirectory) -> None:
    lists = BootstrapLists(data)
    assert [one.network for one in lists.chosen(())] == [PUBLIC]
    lists.keep(listed("everybody", node(1)))
    assert [one.name for one in lists.chosen(())] == ["everybody"]
    lists.keep(listed("flood", node(2), network=SECRET))
    assert [one.network for one in lists.chosen(())] == [SECRET]
    lists.keep(listed("clinic", node(3), network=OTHER))
    assert {one.network for one in lists.chosen(())} == {SECRET, OTHER}
    assert [one.network for one in lists.chosen(["public"])] == [PUBLIC]
    both = lists.chosen(["flood", "everybody", PUBLIC_NAME, SECRET.label])
    assert [one.network for one in both] == [SECRET, PUBLIC]


def test_a_network_without_a_list_is_a_sentence(data: DataDirectory) -> None:
    lists = BootstrapLists(data)
    lists.keep(listed("flood", node(2), network=SECRET))
    with pytest.raises(ConfigError, match=r"no list for the network fl00d here \(there is: flood\)"):
        lists.chosen(["fl00d"])


def test_two_networks_of_one_name_are_told_apart_by_their_label(data: DataDirectory) -> None:
    lists = BootstrapLists(data)
    for network in (SECRET, OTHER):
        lists.keep(listed("flood", node(1), network=network))
    with pytest.raises(ConfigError, match=f"Write .*{SECRET.label}"):
        lists.chosen(["flood"])
    assert [one.network for one in lists.chosen([OTHER.label])] == [OTHER]


def test_a_private_network_cannot_call_itself_the_public_one(data: DataDirectory) -> None:
    lists = BootstrapLists(data)
    lists.keep(listed(PUBLIC_NAME, node(1), network=SECRET))
    with pytest.raises(ConfigError, match=SECRET.label):
        lists.chosen([PUBLIC_NAME])


def test_forgotten_is_forgotten(data: DataDirectory) -> None:
    lists = BootstrapLists(data)
    lists.keep(listed("flood", node(1), network=SECRET))
    lists.keep(listed("flood", node(2), network=SECRET))
    lists.keep(listed("everybody", node(1)))
    assert lists.forget(SECRET) == 2
    assert [one.network for one in lists.networks()] == [PUBLIC]


def test_a_list_past_its_lifetime_is_used_with_a_complaint(data: DataDirectory) -> None:
    lists = BootstrapLists(data)
    lists.keep(listed("flood", node(1, 80), lifetime=30))
    (known,) = lists.networks()
    for now in (0, MADE, MADE + 30 * DAY):
        assert known.complaint(now) == ""
    late = MADE + 3650 * DAY
    assert "3650 days old" in known.complaint(late)
    assert [entry.endpoint.port for entry in lists.entries(known, late)] == [1]
    lists.keep(listed("flood", node(2), made=late))
    assert lists.networks()[0].complaint(late) == ""


def test_a_damaged_file_is_passed_over_and_told(data: DataDirectory) -> None:
    lists = BootstrapLists(data)
    lists.keep(listed("flood", node(1)))
    (data.path / "list-0123456789ab-00000000").write_bytes(os.urandom(50))
    assert len(lists.networks()) == 1
    (sentence,) = lists.damaged()
    assert "list-0123456789ab-00000000 is passed over" in sentence
