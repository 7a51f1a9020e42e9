"""Keys leave the process neither by a core dump nor by the text of an object in a traceback."""

import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from freecall.config import Config, NodeConfig
from freecall.identity import open_identity
from freecall.provisioning import SipAccount
from freecall.store import DataDirectory
from media.protocol.transcript import EXPORTER_BYTES, Transcript
from sipgate.ports import LocalUser
from trust.protocol.packets import split
from trust.protocol.subkey_binding import Subkey

SECRET = "the-phones-password"
LOOK = """
import ctypes, resource
from freecall.memory import keep_private
keep_private()
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_a_node_leaves_no_core_dump_and_is_not_to_be_looked_into() -> None:
    seen = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    assert seen.stdout == "(0, 0) 0\n"


async def test_the_text_of_what_holds_secrets_tells_none_of_them(tmp_path: Path) -> None:
    secret_file = tmp_path / "secret"
    secret_file.write_text(SECRET)
    config = Config(node=NodeConfig(name="alice", openpgp="sequoia"))
    with DataDirectory(tmp_path / "d") as data:
        identity = await open_identity(data, config, now=1_800_000_000.0)
        seed = (tmp_path / "d" / "node.key").read_bytes()
        openpgp = (tmp_path / "d" / "openpgp.key").read_bytes()
    user = LocalUser("sip:alice@mesh", "alice", "alice", b"key", b"word", SECRET)
    account = SipAccount("127.0.0.1:5060", "alice", "mesh", SECRET)
    exported = bytes(range(EXPORTER_BYTES))
    transcript, subkey = Transcript.of(b"", exported), Subkey(b"public", b"a secret scalar")
    problem = RuntimeError(identity, identity.keyring, user, account, transcript, subkey)
    text = "".join(traceback.format_exception(problem))
    assert "alice@mesh" in text
    for secret in (identity.sip_secret, SECRET, "a secret scalar", repr(exported[32:])[2:40]):
        assert secret not in text
    for raw in (seed, split(openpgp)[0].body[-24:-4]):
        assert repr(raw)[2:20] not in text
        assert raw.hex() not in text


def test_the_secret_half_of_the_exporter_is_wiped_once_the_words_are_known() -> None:
    transcript = Transcript.of(b"", bytes(range(EXPORTER_BYTES)))
    agreement = transcript.agreement(b"a" * 32, b"b" * 32)
    assert len(agreement.short_string) == 4
    transcript.wipe()
    assert not any(transcript.key)
