"""Answers the gateway's `Aliases` port: keys that live for one anonymous call, and are written nowhere."""

from collections.abc import Callable

from overlay.identity import NodeKey
from sipgate.ports import Alias, Directory, LocalUser, MediaFactory
from sipgate.protocol.privacy import NAME, USER
from trust.delegation import Delegation, delegate
from trust.keyring import Keyring
from trust.sequoia_keyring import passing_keyring
from trust.uris import self_certifying_uri

from .adapters import Self
from .mesh_uri import canonical
from .policy.work import Worker

DAY = 86_400


class MeshAliases:
    """Makes an OpenPGP key, a node key and a delegation between them.

    `directory` must note nobody who is looked up; `media_of` opens media under the keys that it is given.
    """

    def __init__(
        self,
        directory: Directory,
        media_of: Callable[[Self, Keyring], MediaFactory],
        clock: Callable[[], float],
    ) -> None:
        self._directory = directory
        self._media_of = media_of
        self._clock = clock

    async def draw(self) -> Alias:
        """Return who our user is for one call."""
        keyring, node_key = passing_keyring(f"{USER} <{canonical(USER)}>"), NodeKey.generate()
        uri = self_certifying_uri(USER, keyring.fingerprint)
        not_after = (int(self._clock()) // DAY + 2) * DAY  # no second tells whose clock it was
        delegation = Delegation(uri=uri, node_public_key=node_key.public_key, serial=1, not_after=not_after)
        user = LocalUser(
            uri=uri,
            username=USER,
            display_name=NAME,
            openpgp_key=await keyring.export(),
            delegation=bytes(await delegate(keyring, delegation)),
            secret="",
        )
        me = Self(user, keyring.fingerprint, node_key.public_key, services=frozenset())
        media, work = self._media_of(me, keyring), Worker(keyring.fingerprint)
        return Alias(user, node_key.private_key, self._directory, media, work)
