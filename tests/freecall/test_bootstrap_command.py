"""fc-bootstrap as people use it: each command in this process, with the real keys of a data directory."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from freecall.bootstrap_desk import BootstrapDesk
from freecall.cli import bootstrap
from freecall.config import Config, NodeConfig
from freecall.identity import open_identity
from freecall.store import DataDirectory
from overlay.peers import RememberedPeers
from overlay.protocol.endpoint import Endpoint
from tests.freecall.test_bootstrap_source import server

NODES = ("--node", "192.0.2.1:7350", "--node", "192.0.2.2:7350", "--node", "[2001:db8::1]:7350")


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        """The object that it printed."""
        result: dict[str, object] = json.loads(self.out)
        return result


Fc = Callable[..., Done]


@pytest.fixture
def fc(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fc:
    """Run `fc-bootstrap COMMAND --data HOME ...`."""
    monkeypatch.chdir(tmp_path)

    def run(command: str, *arguments: object, data: str = "bob") -> Done:
        monkeypatch.setattr(
            sys, "argv", ["fc-bootstrap", command, "--data", str(tmp_path / data), *map(str, arguments)]
        )
        with pytest.raises(SystemExit) as ended:
            bootstrap.main()
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Done(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture
async def alice(tmp_path: Path) -> str:
    """A data directory in which a node has run; return its fingerprint."""
    with DataDirectory(tmp_path / "alice") as data:
        config = Config(node=NodeConfig(name="alice", openpgp="sequoia"))
        identity = await open_identity(data, config, now=1_800_000_000)
        (data.path / "config.toml").write_text('[node]\nopenpgp = "sequoia"\n')
        RememberedPeers(data.file("peers")).save(
            [Endpoint("198.51.100.1", 7350), Endpoint("198.51.100.2", 7350)]
        )
        await identity.keyring.aclose()
        return identity.keyring.fingerprint


def test_a_list_goes_from_hand_to_hand(fc: Fc, alice: str) -> None:
    made = fc("export", *NODES, "--network", "flood", "--sign", "-o", "flood.fclist", data="alice")
    assert (made.status, made.out) == (0, "")
    assert "flood: 5 nodes, signed." in made.err
    told = fc("import", "flood.fclist", "--json")
    assert told.status == 0
    assert told.json["name"] == "flood"
    assert told.json["private"] is False
    assert told.json["new"] is True
    assert told.json["signature"] == {
        "standing": "stranger",
        "fingerprint": alice,
        "whose": "",
        "user_ids": ["alice <sip:alice@mesh>"],
        "doubt": "",
    }
    assert "already" in fc("import", "flood.fclist").out
    shown = fc("show", "--json").json["networks"]
    assert isinstance(shown, list)
    assert "198.51.100.2:7350" in [node["endpoint"] for node in shown[0]["nodes"]]
    assert len(shown[0]["nodes"]) == 5
    assert "192.0.2.1:7350" in fc("show").out
    assert fc("forget", "flood").status == 0
    assert "No list has been imported" in fc("show").out


def test_who_signed_is_verified(fc: Fc, alice: str) -> None:
    fc("export", *NODES, "--sign", "-o", "list", data="alice")
    assert "valid, by you" in fc("verify", "list", data="alice").out
    stranger = fc("verify", "list")
    assert stranger.status == 0
    assert "a key that you do not know" in stranger.out
    assert fc("verify", "list", "--signed-by", alice.lower()).status == 0
    wrong = fc("verify", "list", "--signed-by", alice[::-1])
    assert wrong.status == 4
    assert wrong.err.startswith("The list is refused: it is not signed by ")
    fc("export", *NODES, "-o", "plain")
    unsigned = fc("verify", "plain")
    assert (unsigned.status, unsigned.out) == (1, "public: signature none: anybody may have made it\n")
    assert fc("sign", "plain", data="alice").status == 0
    assert "valid, by you" in fc("verify", "plain", data="alice").out


def test_a_tampered_list_is_refused_everywhere(fc: Fc, alice: str, tmp_path: Path) -> None:
    fc("export", *NODES, "--sign", "-o", "list", data="alice")
    data = bytearray((tmp_path / "list").read_bytes())
    data[data.index(bytes([192, 0, 2, 1]))] ^= 1
    (tmp_path / "list").write_bytes(data)
    for command in ("verify", "import", "show", "sign", "qr"):
        done = fc(command, "list")
        assert done.status == 4, command
        assert done.err.startswith("The list is refused: it has been damaged or changed")
    assert not (tmp_path / "bob").exists()


def test_lines_are_read_aloud_and_typed(fc: Fc, tmp_path: Path) -> None:
    told = fc("export", *NODES, "--network", "flood")
    assert told.out.startswith("Free Call bootstrap list: flood, 3 nodes\n1  ")
    (tmp_path / "typed").write_text(told.out.lower())
    assert fc("import", "typed", "--json").json["nodes"] != []
    (tmp_path / "typed").write_text(told.out.replace("\n2  ", "\n2  7"))
    wrong = fc("import", "typed")
    assert wrong.status == 2
    assert wrong.err == "Line 2 is mistyped. Compare it with the original, symbol by symbol.\n"


def test_lines_hold_the_best_nodes_only(fc: Fc, alice: str, tmp_path: Path) -> None:
    many = [part for number in range(40) for part in ("--node", f"192.0.2.1:{7000 + number}")]
    told = fc("export", *many, "--sign", data="alice")
    assert ", 20 nodes\n" in told.out
    (tmp_path / "typed").write_text(told.out)
    assert "valid, by you" in fc("verify", "typed", data="alice").out
    assert "not checked" in fc("verify", "typed").out
    assert ", 3 nodes\n" in fc("export", *many, "--most", 3).out


def test_a_code_holds_300_bytes_at_most(fc: Fc, alice: str, tmp_path: Path) -> None:
    many = [part for number in range(40) for part in ("--node", f"192.0.2.1:{7000 + number}")]
    fc("export", *many, "--network", "flood", "-o", "list")
    unsigned = fc("qr", "list")
    assert (
        unsigned.err
        == "30 of 40 nodes fit, the best ones; not signed: anybody could have made it. 294 bytes.\n"
    )
    assert "flood · 30 nodes" in unsigned.out
    signed = fc("qr", "list", "--sign", "--word", data="alice")
    assert "10 of 40 nodes fit, the best ones; signed." in signed.err
    word = signed.out.strip()
    assert len(word) <= 300
    assert "valid, by you" in fc("verify", word, data="alice").out
    told = fc("qr", "--svg", "code.svg", "--json", data="alice").json
    assert (told["signed"], told["nodes"], told["of_nodes"]) == (True, 2, 2)
    assert (tmp_path / "code.svg").read_text().startswith("<svg ")


def test_a_private_network_is_made_and_joined(fc: Fc, tmp_path: Path) -> None:
    made = fc("export", "--network", "clinic", "--new-key", *NODES, "-o", "clinic.fclist")
    assert "private" in made.err
    assert (tmp_path / "clinic.fclist").stat().st_mode & 0o777 == 0o600
    told = fc("import", "clinic.fclist")
    assert "in no other unless" in told.out
    again = fc("export", "--network", "clinic", "-o", "again.fclist")
    assert again.status == 0
    labels = {fc("show", name, "--json").json["network"] for name in ("clinic.fclist", "again.fclist")}
    assert len(labels) == 1
    secret = (tmp_path / "clinic.fclist").read_bytes()[14:30].hex()
    assert secret not in told.out + fc("show", "clinic.fclist", "--json").out


def test_a_network_is_never_mistaken_for_the_public_one(fc: Fc, tmp_path: Path) -> None:
    """A name typed wrong, or one that two networks share, must not write down other nodes than meant."""
    for number in (1, 2):
        fc("export", "--network", "clinic", "--new-key", *NODES, "-o", f"clinic{number}")
    fc("import", "clinic1")
    wrong = fc("export", "--network", "clinc", *NODES)
    assert (wrong.status, wrong.out) == (2, "")
    assert "no list for the network clinc here (there is: clinic)" in wrong.err
    fc("import", "clinic2")
    both = fc("export", "--network", "clinic", *NODES)
    assert (both.status, both.out) == (2, "")
    assert "Two networks are called clinic." in both.err
    assert "several networks: clinic, clinic" in fc("export", *NODES).err
    (tmp_path / "bob" / "config.toml").write_text('[node]\nnetworks = ["public"]\n')
    assert "The network is public" in fc("export", *NODES).err


def test_a_list_over_plain_http_must_be_signed_by_somebody_known(fc: Fc, alice: str, tmp_path: Path) -> None:
    fc("export", *NODES, "--sign", "-o", "signed", data="alice")
    fc("export", *NODES, "-o", "unsigned")
    for name in ("signed", "unsigned"):
        with server((tmp_path / name).read_bytes()) as url:
            refused = fc("import", url)
        assert refused.status == 4
        assert "plain http" in refused.err
    with server((tmp_path / "signed").read_bytes()) as url:
        assert fc("import", url, "--signed-by", alice).status == 0
        assert fc("import", url, data="alice").status == 0


def test_loopback_addresses_from_the_internet_are_refused(fc: Fc, alice: str, tmp_path: Path) -> None:
    fc(
        "export",
        "--node",
        "127.0.0.1:53",
        "--sign",
        "-o",
        "list",
        "--network",
        "n",
        "--new-key",
        data="alice",
    )
    with server((tmp_path / "list").read_bytes()) as url:
        refused = fc("import", url, "--signed-by", alice)
    assert (refused.status, refused.err) == (4, "The list is refused: it names this very computer only.\n")
    assert fc("import", "list").status == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["export"], "no node to list"),
        (["export", "--node", "nonsense"], "is no address"),
        (["export", "--new-key", *NODES], "needs a name"),
        (["export", *NODES, "--sign"], "no OpenPGP key"),
        (["export", *NODES, "-o", "/proc/none"], "cannot be written"),
        (["export", *NODES, "--days", "-1"], "no number of days"),
        (["export", *NODES, "--most", "1000"], "no number of nodes"),
        (["import", "/nonexistent"], "cannot be read"),
        (["verify", "x", "--key", "/nonexistent"], "cannot be read"),
        (["forget", "nowhere"], "no list for the network nowhere"),
        (["dance"], "invalid choice"),
    ],
)
def test_what_is_typed_wrong_gets_a_sentence(
    fc: Fc, arguments: list[str], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "x").write_text(fc("export", *NODES).out)
    done = fc(*arguments)
    assert done.status == 2
    assert sentence in done.err
    assert os.listdir(tmp_path) == ["x"]


def test_a_key_file_tells_whose_a_signature_is(fc: Fc, alice: str, tmp_path: Path) -> None:
    told = fc("export", *NODES, "--sign", data="alice")
    (tmp_path / "typed").write_text(told.out)
    fc("export", *NODES, "--sign", "-o", "list", data="alice")
    from overlay.protocol.bootstrap_list import SignedList

    key = SignedList.parse((tmp_path / "list").read_bytes()).content.signer_key
    (tmp_path / "alice.pgp").write_bytes(key)
    assert "by the key in" in fc("verify", "typed", "--key", "alice.pgp").out
    (tmp_path / "alice.pgp").write_bytes(b"no key")
    assert "holds no OpenPGP public key" in fc("verify", "typed", "--key", "alice.pgp").err


def test_a_private_network_without_a_known_node_can_be_handed_on(fc: Fc) -> None:
    """On one LAN its key is all that is needed."""
    fc("export", "--network", "clinic", "--new-key", "-o", "clinic.fclist")
    fc("import", "clinic.fclist")
    word = fc("qr", "--word").out.strip()
    network = fc("show", "clinic.fclist", "--json").json["network"]
    assert fc("import", word, "--json", data="ben").json["network"] == network


@pytest.mark.parametrize("years", [-56, -10, 10])
def test_a_wrong_clock_stops_nobody(fc: Fc, alice: str, years: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fc("export", *NODES, "--network", "flood", "--sign", "-o", "right.fclist", data="alice")
    wrong = BootstrapDesk.now() + years * 365 * 86_400
    with monkeypatch.context() as clock:
        clock.setattr(BootstrapDesk, "now", lambda _: wrong)
        told = fc("import", "right.fclist")
        assert told.status == 0
        assert ("clocks is wrong" in told.out) == (years < 0)
        assert ("used all the same" in told.out) == (years > 0)
        assert "192.0.2.1:7350" in fc("show").out
        fc("export", *NODES, "--network", "late", "--sign", "-o", "wrong.fclist", data="alice")
    assert fc("import", "wrong.fclist", data="ben").status == 0
    assert fc("verify", "wrong.fclist", data="ben").status == 0
