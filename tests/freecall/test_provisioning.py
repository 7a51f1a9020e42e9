from pathlib import Path
from xml.etree import ElementTree as ET

from freecall.provisioning import SipAccount, baresip, linphone, twinkle, write_provisioning
from freecall.store import DataDirectory

ACCOUNT = SipAccount(address="127.0.0.1:5060", username="alice", domain="mesh", secret="s<&>t")


def test_each_phone_gets_account_and_proxy_in_its_own_format() -> None:
    assert baresip(ACCOUNT).startswith("<sip:alice@mesh>;auth_user=alice;auth_pass=s<&>t;outbound=")
    entries = {
        entry.get("name"): entry.text
        for entry in ET.fromstring(linphone(ACCOUNT)).iter()
        if entry.get("name")
    }
    assert entries["passwd"] == "s<&>t"
    assert entries["reg_identity"] == "sip:alice@mesh"
    assert "registrar=127.0.0.1:5060\n" in twinkle(ACCOUNT)


def test_the_files_are_private(tmp_path: Path) -> None:
    with DataDirectory(tmp_path / "data") as data:
        for path in write_provisioning(data, ACCOUNT).values():
            assert Path(path).stat().st_mode & 0o777 == 0o600
