"""Paired devices: a secret each, a door that is open while one needs it, and nothing of them left when revoked."""

import json
from pathlib import Path
from typing import Any

import pytest

from freecall.adapters import OneUser
from freecall.devices import MAX_DEVICES, DeviceAccounts, DeviceDesk, DeviceRefused, Door
from freecall.store import DataDirectory
from sipgate.ports import LocalUser

BOB = LocalUser("sip:bob@mesh", "bob", "bob", b"", b"", "own secret")


class FakeDoor:
    """The gateway's side, which remembers what it was asked."""

    def __init__(self) -> None:
        self.log: list[str] = []

    async def listen(self, host: str, port: int, context: object) -> int:  # noqa: ARG002
        self.log.append(f"listen {host}")
        return port

    def stop_listening(self) -> None:
        self.log.append("stop")

    def unpair(self, device: str) -> None:
        self.log.append(f"unpair {device}")


class Scene:
    """A desk in a data directory, with its accounts."""

    def __init__(self, path: Path) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.accounts = DeviceAccounts(OneUser(BOB, frozenset({BOB.uri})), "bob")
        self.door = FakeDoor()
        self.desk = DeviceDesk(
            DataDirectory(path),
            BOB,
            "mesh",
            self.accounts,
            lambda name, **fields: self.told.append((name, fields)),
            lambda: 1_800_000_000.0,
            door=Door("127.0.0.1", 0, exact=False),
            plain_at="127.0.0.1:5060",
        )

    async def open(self) -> "Scene":
        await self.desk.open(self.door)  # type: ignore[arg-type]
        return self


async def test_a_device_has_a_secret_of_its_own_until_it_is_revoked(tmp_path: Path) -> None:
    it = await Scene(tmp_path).open()
    assert it.door.log == [], "nobody is paired: nobody is listened for"
    paired = await it.desk.add("kitchen")
    account = paired["account"]
    assert (account["login"], account["transport"], account["username"]) == ("bob.kitchen", "tls", "bob")
    user = it.accounts.by_username("bob.kitchen")
    assert user is not None
    assert (user.uri, user.secret, user.device) == (BOB.uri, account["secret"], "kitchen")
    assert not user.may_be_plain
    assert it.accounts.by_username("bob") == BOB
    assert len(account["secret"]) >= 20
    assert it.door.log == ["listen 127.0.0.1"]
    await it.desk.add("hall")
    assert it.door.log == ["listen 127.0.0.1"]
    await it.desk.revoke("kitchen")
    assert it.accounts.by_username("bob.kitchen") is None
    assert it.door.log[1:] == ["unpair kitchen"]
    await it.desk.revoke("hall")
    assert it.door.log[2:] == ["unpair hall", "stop"]
    assert [name for name, _ in it.told] == ["device_paired"] * 2 + ["device_revoked"] * 2


async def test_devices_outlive_the_node_and_so_does_the_certificate(tmp_path: Path) -> None:
    it = await Scene(tmp_path).open()
    account = (await it.desk.add("kitchen"))["account"]
    again = await Scene(tmp_path).open()
    assert again.door.log == ["listen 127.0.0.1"]
    assert [device["name"] for device in again.desk.all()] == ["kitchen"]
    user = again.accounts.by_username("bob.kitchen")
    assert user is not None
    assert user.secret == account["secret"]
    assert again.desk.certificate()["fingerprint"] == account["fingerprint"]


async def test_secrets_lie_in_private_files_and_stand_in_no_list(tmp_path: Path) -> None:
    it = await Scene(tmp_path).open()
    account = (await it.desk.add("kitchen"))["account"]
    assert account["secret"] not in json.dumps([it.desk.all(), it.told])
    assert account["secret"] not in repr(it.accounts.devices)
    assert "PRIVATE KEY" not in account["pem"]
    for file in ("devices.json", "phones-tls.pem"):
        assert (tmp_path / file).stat().st_mode & 0o077 == 0


async def test_a_plain_device_opens_no_door(tmp_path: Path) -> None:
    it = await Scene(tmp_path).open()
    account = (await it.desk.add("old", plain=True))["account"]
    assert (account["transport"], account["address"]) == ("udp", "127.0.0.1:5060")
    assert it.door.log == []
    user = it.accounts.by_username("bob.old")
    assert user is not None
    assert user.may_be_plain


@pytest.mark.parametrize("srtp", ["sdes", "dtls"])
async def test_how_a_device_agrees_on_its_keys_is_kept_and_stands_in_its_files(
    tmp_path: Path, srtp: str
) -> None:
    it = await Scene(tmp_path).open()
    files = (await it.desk.add("kitchen", srtp=srtp))["account"]["files"]
    assert ("mediaenc=dtls_srtp" in files["baresip"]) is (srtp == "dtls")
    assert (">dtls<" in files["Linphone"]) is (srtp == "dtls")
    again = await Scene(tmp_path).open()
    user = again.accounts.by_username("bob.kitchen")
    assert user is not None
    assert user.by_dtls is (srtp == "dtls")
    assert again.desk.all()[0]["srtp"] == srtp


async def test_there_is_no_third_way(tmp_path: Path) -> None:
    it = await Scene(tmp_path).open()
    with pytest.raises(DeviceRefused, match="sdes or dtls"):
        await it.desk.add("kitchen", srtp="zrtp")


def test_devices_of_before_there_was_a_choice_are_as_they_were(tmp_path: Path) -> None:
    row = {"name": "kitchen", "since": 1.0, "plain": False, "secret": "s"}
    (tmp_path / "devices.json").write_text(json.dumps({"version": 1, "devices": [row]}))
    assert Scene(tmp_path).desk.all()[0]["srtp"] == "sdes"


@pytest.mark.parametrize("name", ["", "Kitchen", "a b", "../x", "x" * 33, "bob.x"])
async def test_a_bad_name_is_refused(tmp_path: Path, name: str) -> None:
    it = await Scene(tmp_path).open()
    with pytest.raises(DeviceRefused, match="letters, digits"):
        await it.desk.add(name)


async def test_there_is_an_end_to_devices(tmp_path: Path) -> None:
    it = await Scene(tmp_path).open()
    for number in range(MAX_DEVICES):
        await it.desk.add(f"d{number}", plain=True)
    with pytest.raises(DeviceRefused, match="No more than"):
        await it.desk.add("another")
    with pytest.raises(DeviceRefused, match="already"):
        await it.desk.add("d1")
    with pytest.raises(DeviceRefused, match="There is no device"):
        await it.desk.revoke("nobody")


@pytest.mark.parametrize(
    "damaged",
    [
        "{",
        "[]",
        '{"version": 1}',
        '{"version": 1, "devices": [{"name": "x"}]}',
        '{"version": 1, "devices": [{"name": "x", "since": 1, "secret": "s", "srtp": ["dtls"]}]}',
    ],
)
def test_a_damaged_file_is_not_passed_over(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "devices.json").write_text(damaged)
    with pytest.raises(DeviceRefused, match="cannot be read"):
        Scene(tmp_path)
