"""QR codes of at most 300 bytes."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from freecall.bootstrap import KnownKey, Standing, judge
from freecall.bootstrap_qr import MAX_QR_BYTES, fitting, make_qr, qr_as_it_is
from freecall.bootstrap_source import read_list
from overlay.protocol.bootstrap_list import BootstrapList, Entry, SignedList
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.network import PUBLIC, Network
from trust.keyring import Keyring, open_keyring
from trust.openpgp import KeyVerifier

MADE = 1_780_000_000


def listed(count: int, *, v6: bool = False, name: str = "flood", network: Network = PUBLIC) -> BootstrapList:
    """Return a list whose last nodes are the best."""
    host = "2001:db8::7" if v6 else "192.0.2.7"
    nodes = tuple(Entry(Endpoint(host, 7000 + number), min(100, number), 1) for number in range(count))
    return BootstrapList(name, nodes, MADE, 90, network)


@pytest.fixture
async def keyring(tmp_path: Path) -> Keyring:
    """A keyring of the built-in kind: its signatures are the longer ones."""
    return await open_keyring(tmp_path / "alice", "alice <sip:alice@mesh>", backend="sequoia")


async def test_it_holds_the_best_nodes_that_fit_and_a_signature(keyring: Keyring) -> None:
    code = await make_qr(listed(50), keyring)
    assert code is not None
    assert code.signed
    assert len(code.word) <= MAX_QR_BYTES
    signed = read_list(code.word.encode())
    assert [entry.endpoint.port for entry in signed.content.entries] == list(
        range(7049, 7049 - len(code.made.entries), -1)
    )
    assert code.of_nodes == 50
    verdict = await judge(signed, KeyVerifier(), [KnownKey("alice", await keyring.export())])
    assert verdict.standing is Standing.KNOWN


@pytest.mark.parametrize(
    ("signature_bytes", "v6", "network", "count"),
    [
        (90, False, PUBLIC, 15),
        (122, False, PUBLIC, 10),
        (90, True, PUBLIC, 5),
        (0, False, PUBLIC, 30),
        (90, False, Network(bytes(16)), 13),
    ],
)
def test_so_many_nodes_fit(signature_bytes: int, v6: bool, network: Network, count: int) -> None:
    assert fitting(listed(50, v6=v6, network=network), signature_bytes) == count


async def test_a_signature_that_leaves_no_room_is_left_out(
    keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def long_signature(_data: bytes) -> bytes:
        return b"\xc2\xff" + (300).to_bytes(4, "big") + b"\x04\x00\x01\x08" + bytes(296)

    monkeypatch.setattr(keyring, "sign", long_signature)
    code = await make_qr(listed(50), keyring)
    assert code is not None
    assert not code.signed
    assert len(code.made.entries) == 30


async def test_a_network_without_a_known_node_has_a_code_too() -> None:
    code = await make_qr(listed(0, network=Network(bytes(32)), name="n" * 40), None)
    assert code is not None
    assert code.made.network.key == bytes(32)


def test_a_short_list_is_shown_as_it_is() -> None:
    signed = SignedList(bytes(listed(3)))
    code = qr_as_it_is(signed)
    assert code is not None
    assert read_list(code.word.encode()) == signed
    assert qr_as_it_is(SignedList(bytes(listed(60)))) is None


async def test_the_picture_names_the_network_and_cannot_be_broken_by_it() -> None:
    code = await make_qr(listed(50, name="<script>&'\""), None)
    assert code is not None
    root = ET.fromstring(code.svg())
    (caption,) = root.iter("{http://www.w3.org/2000/svg}text")
    assert caption.text == "<script>&'\" · 29 nodes · 2026-05-28"
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))


async def test_the_terminal_shows_light_on_dark() -> None:
    code = await make_qr(listed(50), None)
    assert code is not None
    plain = code.terminal(coloured=False).splitlines()
    assert set("".join(plain)) == set("█▀▄ ")
    assert len({len(line) for line in plain}) == 1
    assert len(plain[0]) <= 80
    assert all(line.startswith("\x1b[97;40m█") for line in code.terminal(coloured=True).splitlines()[:3])
