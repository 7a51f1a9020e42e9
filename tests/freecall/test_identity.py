from dataclasses import replace
from pathlib import Path

import pytest

from freecall.config import Config, NodeConfig, PhonesConfig
from freecall.errors import ConfigError, NotAMeshUri
from freecall.identity import Identity, open_identity
from freecall.mesh_uri import name_of
from freecall.store import DataDirectory
from tests.trust.agent import PersonsGpg
from tests.trust.gpg import needs_gpg
from trust import calling_key
from trust.delegation import check

NOW = 1_800_000_000.0
YEAR = 365 * 86400.0


async def opened(path: Path, config: Config | None = None, now: float = NOW) -> Identity:
    config = config or Config(node=NodeConfig(name="alice", openpgp="sequoia"))
    with DataDirectory(path) as data:
        identity = await open_identity(data, config, now=now)
        await identity.keyring.aclose()
        return identity


async def test_the_first_start_makes_everything_and_the_second_keeps_it(tmp_path: Path) -> None:
    first = await opened(tmp_path / "d")
    second = await opened(tmp_path / "d", Config(node=NodeConfig(openpgp="sequoia")))
    assert first.uri == second.uri == "sip:alice@mesh"
    assert first.long_uri == second.long_uri
    assert first.node_key.seed == second.node_key.seed
    assert first.keyring.fingerprint == second.keyring.fingerprint
    assert first.delegation == second.delegation
    assert first.sip_secret == second.sip_secret
    for path in (tmp_path / "d").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


async def test_the_delegation_is_what_peers_check(tmp_path: Path) -> None:
    me = await opened(tmp_path / "d")
    for uri in me.uris:
        node = me.node_key.public_key
        await check(me.keyring, me.delegation, me.public_key, now=NOW, uri=uri, node_public_key=node)


async def test_a_delegation_that_nears_its_end_is_renewed_with_a_higher_serial(tmp_path: Path) -> None:
    first = await opened(tmp_path / "d")
    later = await opened(tmp_path / "d", now=NOW + 1.5 * YEAR)
    assert later.delegation.delegation.serial > first.delegation.delegation.serial
    assert later.delegation.delegation.not_after > first.delegation.delegation.not_after


async def test_a_new_name_is_kept_and_delegated(tmp_path: Path) -> None:
    first = await opened(tmp_path / "d")
    renamed = await opened(tmp_path / "d", Config(node=NodeConfig(name="Alicia", openpgp="sequoia")))
    assert renamed.uri == "sip:alicia@mesh"
    assert renamed.delegation.delegation.serial > first.delegation.delegation.serial
    assert renamed.keyring.fingerprint == first.keyring.fingerprint


async def test_a_damaged_delegation_is_made_anew(tmp_path: Path) -> None:
    await opened(tmp_path / "d")
    (tmp_path / "d" / "delegation").write_bytes(b"\xc1garbage")
    assert (await opened(tmp_path / "d")).delegation.delegation.uri == "sip:alice@mesh"


async def test_a_damaged_node_key_is_a_sentence_and_is_not_overwritten(tmp_path: Path) -> None:
    await opened(tmp_path / "d")
    (tmp_path / "d" / "node.key").write_bytes(b"short")
    with pytest.raises(ConfigError, match="damaged"):
        await opened(tmp_path / "d")
    assert (tmp_path / "d" / "node.key").read_bytes() == b"short"


async def test_the_phones_password_can_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    config = Config(
        node=NodeConfig(name="alice", openpgp="sequoia"), phones=PhonesConfig(secret_file=str(secret))
    )
    with pytest.raises(ConfigError, match="cannot be read"):
        await opened(tmp_path / "d", config)
    secret.write_text("\n")
    with pytest.raises(ConfigError, match="empty"):
        await opened(tmp_path / "d", config)
    secret.write_text(" open sesame \nsecond line\n")
    assert (await opened(tmp_path / "d", config)).sip_secret == "open sesame"


async def test_a_name_that_cannot_be_is_a_sentence(tmp_path: Path) -> None:
    config = Config()
    config = replace(config, node=replace(config.node, name="a b"))
    with pytest.raises(NotAMeshUri):
        await opened(tmp_path / "d", config)


UNLISTED = Config(node=NodeConfig(name="bob", openpgp="sequoia", unlisted=True))
LISTED = Config(node=NodeConfig(name="bob", openpgp="sequoia"))


async def test_the_name_of_a_service_is_nobodys(tmp_path: Path) -> None:
    for name in ("echo", "time@mesh"):
        with pytest.raises(ConfigError, match="Choose another name with --name"):
            await opened(tmp_path / "d", Config(node=NodeConfig(name=name, openpgp="sequoia")))


async def test_an_unlisted_user_has_a_secret_in_every_address_and_is_called_by_the_name(
    tmp_path: Path,
) -> None:
    me = await opened(tmp_path / "d", UNLISTED)
    assert (me.name, me.unlisted) == ("bob", True)
    for uri in me.uris:
        assert uri.startswith("sip:bob+")
        assert name_of(uri) == "bob"
        node = me.node_key.public_key
        await check(me.keyring, me.delegation, me.public_key, now=NOW, uri=uri, node_public_key=node)
    other = await opened(tmp_path / "e", UNLISTED)
    assert not me.uris & other.uris


async def test_the_secret_is_in_no_key_since_keys_are_copied_to_other_places(tmp_path: Path) -> None:
    me = await opened(tmp_path / "d", UNLISTED)
    secret = (tmp_path / "d" / "unlisted.secret").read_text().strip()
    assert f"bob+{secret}@mesh" in me.uri
    assert secret.encode() not in me.public_key
    assert b"bob <sip:bob@mesh>" in me.public_key


async def test_who_was_unlisted_stays_so_until_the_secret_is_removed(tmp_path: Path) -> None:
    listed = await opened(tmp_path / "d", LISTED)
    assert not listed.unlisted
    first = await opened(tmp_path / "d", UNLISTED)
    assert (await opened(tmp_path / "d", LISTED)).uri == first.uri
    assert first.delegation.delegation.serial > listed.delegation.delegation.serial
    (tmp_path / "d" / "unlisted.secret").unlink()
    assert (await opened(tmp_path / "d", LISTED)).uri == listed.uri


@pytest.mark.parametrize("damage", ["", "short", "Q7K3M5X2P4R6T7V2", "\xff"])
async def test_a_damaged_secret_is_a_sentence_and_lists_nobody(tmp_path: Path, damage: str) -> None:
    await opened(tmp_path / "d", UNLISTED)
    (tmp_path / "d" / "unlisted.secret").write_bytes(damage.encode("latin-1"))
    for config in (UNLISTED, LISTED):
        with pytest.raises(ConfigError, match="damaged"):
            await opened(tmp_path / "d", config)


async def test_an_unlisted_name_leaves_room_for_the_secret(tmp_path: Path) -> None:
    longest = replace(UNLISTED, node=replace(UNLISTED.node, name="b" * 47))
    assert len((await opened(tmp_path / "d", longest)).uri) == len("sip:@mesh") + 64
    too_long = replace(UNLISTED, node=replace(UNLISTED.node, name="b" * 48))
    with pytest.raises(ConfigError, match="47 letters"):
        await opened(tmp_path / "e", too_long)


@needs_gpg
async def test_the_users_own_key_speaks_for_the_node_and_a_new_calling_key_makes_a_new_delegation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PersonsGpg() as person:
        monkeypatch.setenv("GNUPGHOME", str(person.home))
        fingerprint = person.make_locked("Alice <alice@example.org>")
        config = Config(node=NodeConfig(name="alice", openpgp_key=fingerprint))
        with monkeypatch.context() as patched:
            patched.setattr(calling_key, "LIFETIME_SECONDS", 20 * 86400)
            first = await opened(tmp_path / "d", config)
        second = await opened(tmp_path / "d", config)
        third = await opened(tmp_path / "d", config)
    assert first.keyring.fingerprint == second.keyring.fingerprint == fingerprint
    assert second.calling_until is not None
    assert second.delegation != first.delegation
    assert third.delegation == second.delegation
    node = third.node_key.public_key
    await check(
        third.keyring, third.delegation, third.public_key, now=NOW, uri=third.uri, node_public_key=node
    )


async def test_nobody_is_called_anonymous(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give no name"):
        await opened(tmp_path / "d", Config(node=NodeConfig(name="Anonymous", openpgp="sequoia")))
