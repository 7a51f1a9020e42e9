"""Who our user is in an anonymous call, and what another node makes of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, cast

import pytest

from freecall.adapters import MeshAdmission, MeshDirectory, PeerKeys, Self
from freecall.aliases import MeshAliases
from freecall.evidence import EvidenceGatherer
from freecall.mesh_uri import ANONYMOUS, caller_from, is_anonymous
from overlay.identity import NodeKey
from sipgate.ports import Alias, IncomingCaller, LocalUser, MediaFactory, Refusal
from tests.trust.memory_store import MemoryStore
from trust.keyring import Keyring, open_keyring
from trust.pins import Pins
from trust.standing import Standings

NOW = 1_800_000_000.0


def me(keyring: Keyring) -> Self:
    user = LocalUser("sip:bob@mesh", "bob", "Bob", b"", b"", "secret")
    return Self(user, keyring.fingerprint, NodeKey.generate().public_key, frozenset())


class Media:
    """Notes under whose keys media was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[Self, Keyring]] = []

    def of(self, whose: Self, own: Keyring) -> MediaFactory:
        self.asked.append((whose, own))
        return cast("MediaFactory", self)


async def drawn(media: Media, clock: Callable[[], float] = lambda: NOW) -> Alias:
    return await MeshAliases(cast("MeshDirectory", None), media.of, clock).draw()


def calling(alias: Alias, purpose: Literal["call", "text", "look"] = "call") -> IncomingCaller:
    key = alias.node_key.public_key().public_bytes_raw()
    user = alias.user
    return IncomingCaller(
        user.uri,
        "sip:bob@mesh",
        key,
        user.openpgp_key,
        user.delegation,
        user.display_name,
        purpose=purpose,
    )


async def admission(tmp_path: Path) -> MeshAdmission:
    keyring = await open_keyring(tmp_path / "bob", "bob <sip:bob@mesh>", backend="sequoia")
    standings = Standings(Pins(MemoryStore()))
    return MeshAdmission(me(keyring), keyring, standings, PeerKeys(), lambda: NOW)


async def test_another_node_believes_an_alias_and_takes_it_for_nobody(tmp_path: Path) -> None:
    alias = await drawn(Media())
    peer = await (await admission(tmp_path)).admit(calling(alias))
    assert (peer.uri, peer.display_name, peer.trust, peer.known) == (
        ANONYMOUS,
        "Anonymous",
        "anonymous",
        False,
    )
    assert peer.node_public_key == alias.node_key.public_key().public_bytes_raw()
    assert peer.fingerprint


async def test_keys_of_somebody_else_do_not_pass_as_nobodys(tmp_path: Path) -> None:
    door = await admission(tmp_path)
    one, other = await drawn(Media()), await drawn(Media())
    mixed = Alias(one.user, other.node_key, one.directory, one.media, one.work)
    with pytest.raises(Refusal, match="names another node"):
        await door.admit(calling(mixed))


@pytest.mark.parametrize("purpose", ["text", "look"])
async def test_only_calls_are_anonymous(tmp_path: Path, purpose: Literal["text", "look"]) -> None:
    with pytest.raises(Refusal) as refused:
        await (await admission(tmp_path)).admit(calling(await drawn(Media()), purpose=purpose))
    assert refused.value.status == 433


async def test_no_two_aliases_have_anything_in_common_but_the_name_of_nobody() -> None:
    media = Media()
    one, other = await drawn(media), await drawn(media, lambda: NOW + 5)
    assert one.user.uri != other.user.uri
    assert one.user.openpgp_key != other.user.openpgp_key
    assert one.node_key.public_key() != other.node_key.public_key()
    assert is_anonymous(one.user.uri)
    assert media.asked[0][1].fingerprint != media.asked[1][1].fingerprint
    whose, own = media.asked[0]
    assert whose.fingerprint == own.fingerprint
    assert whose.node_public_key == one.node_key.public_key().public_bytes_raw()


async def test_an_anonymous_caller_cannot_be_called_back(tmp_path: Path) -> None:
    keyring = await open_keyring(tmp_path / "bob", "bob <sip:bob@mesh>", backend="sequoia")
    directory = MeshDirectory(me(keyring), cast("EvidenceGatherer", None), PeerKeys(), tuple)
    for uri in ("sip:anonymous@mesh", (await drawn(Media())).user.uri):
        with pytest.raises(Refusal) as refused:
            await directory.resolve(uri)
        assert refused.value.status == 404
        assert "anonymous" in refused.value.reason


@pytest.mark.parametrize("text", ["anonymous", "Anonymous@anonymous.invalid", f"<{ANONYMOUS}>", ANONYMOUS])
def test_people_name_nobody_in_any_form(text: str) -> None:
    assert caller_from(text) == ANONYMOUS
    assert caller_from("bob") == "sip:bob@mesh"
