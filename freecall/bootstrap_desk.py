"""What `fc-bootstrap` does, apart from arguments and printing: the data directory, its node, its keys and its lists."""

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, cast

from overlay.protocol.bootstrap_list import (
    MAX_NODES,
    MAX_SCORE,
    BootstrapList,
    Entry,
    SignedList,
)
from overlay.protocol.bootstrap_merge import merge
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.network import Network
from trust.errors import BadKey
from trust.keyring import Backend, Keyring, open_keyring
from trust.pins import Pins
from trust.short_signature import read_key

from .addresses import resolve_all
from .bootstrap import OWN, KnownKey, sign_list
from .bootstrap_lists import PUBLIC_NAME, BootstrapLists, KnownNetwork
from .bootstrap_qr import QrCode, make_qr
from .bootstrap_taking import Taken, accept, known_people, take
from .config import load_config
from .control.client import ControlClient, NodeNotRunning
from .errors import ConfigError, FreeCallError, reason
from .mesh_uri import canonical
from .store import DataDirectory

NEW_KEY_BYTES = 16
MAX_KEY_FILE_BYTES = 64 * 1024


class NoKeyHere(FreeCallError):
    """There is no OpenPGP key to sign with."""

    def __init__(self, data: Path) -> None:
        super().__init__(
            f"There is no OpenPGP key in {data} to sign with. Start a node there once (./scripts/run), "
            "which makes one, or name the right folder with --data DIR."
        )


class BootstrapDesk:
    """The lists, keys and nodes of one data directory."""

    def __init__(self, path: Path, standard_input: BinaryIO) -> None:
        self._data = DataDirectory(path)
        self._standard_input = standard_input
        self.lists = BootstrapLists(self._data)

    @staticmethod
    def now() -> int:
        """Return Unix time, which may be wrong."""
        return int(time.time())  # noqa: TID251 - the top of a command

    # -- reading -------------------------------------------------------------------------------------------------

    async def read(self, source: str, key_file: Path | None = None, signed_by: str = "") -> Taken:
        """Return the list at ``source`` and who signed it. Raises as `take` does."""
        return await take(source, self._standard_input, await self._known_keys(key_file), signed_by)

    async def _known_keys(self, key_file: Path | None) -> list[KnownKey]:
        known = [KnownKey(f"the key in {key_file}", _read_key_file(key_file))] if key_file else []
        if self.has_key():
            async with self.keyring() as keyring:
                known.append(KnownKey(OWN, await keyring.export()))
        return known + known_people(Pins(self._data.file("pins.json")))

    def keep(self, taken: Taken, *, vouched: bool) -> bool:
        """Keep a list for the node's next start; False when it was there already. Raises as `accept` does."""
        accept(taken, vouched=vouched)
        return self.lists.keep(taken.signed)

    def tell_node(self, taken: Taken) -> bool:
        """Let a running node try the list at once; False when none runs, or it is not on that network."""
        try:
            answer = ControlClient(self._data.path).request("POST", "/v1/bootstrap")
        except NodeNotRunning:
            return False
        return taken.made.network.label in answer["networks"]

    # -- making --------------------------------------------------------------------------------------------------

    async def make(
        self, name: str | None, *, new_key: bool, nodes: Sequence[str], lifetime_days: int
    ) -> BootstrapList:
        """Return a list of the nodes that this one knows, and of those named.

        With ``new_key`` it is for a new private network: then only the nodes named and this one are in it.

        Raises:
            FreeCallError: an address is malformed, or there is no node to list.
        """
        given, problems = await resolve_all(nodes)
        if problems:
            raise ConfigError(problems[0])
        now = self.now()
        own = [Entry(endpoint, MAX_SCORE) for endpoint in dict.fromkeys([*given, *self._this_node()])]
        if new_key:
            made = BootstrapList(_wanted(name), tuple(own[:MAX_NODES]), now, lifetime_days, _new_network())
            return made.without_strangers_loopback()
        known = self._network(name)
        entries = merge(known.lists, [*own, *self.lists.met(known.network)], now=now)
        if not entries and not known.network.key:
            raise FreeCallError(
                "There is no node to list: this one has met none, and none runs here. Name some with --node HOST:PORT."
            )
        made = BootstrapList(name or known.name, entries, now, lifetime_days, known.network)
        return made.without_strangers_loopback()

    def _network(self, name: str | None) -> KnownNetwork:
        """Return the network to write down. A new name, where none is private, is a new name for the public one."""
        known = self.lists.networks()
        is_known = any(name in (one.name, one.network.label, PUBLIC_NAME) for one in known)
        if name and not is_known and not any(one.network.key for one in known):
            name = PUBLIC_NAME
        wanted = (
            [name] if name else load_config(self._data.path / "config.toml", must_exist=False).node.networks
        )
        chosen = self.lists.chosen(wanted)
        if len(chosen) > 1:
            names = ", ".join(one.name for one in chosen)
            raise ConfigError(f"Your node is on several networks: {names}. Name one with --network.")
        return chosen[0]

    def _this_node(self) -> list[Endpoint]:
        """Return where the node of this folder can be reached, if it runs."""
        try:
            mesh = ControlClient(self._data.path).request("GET", "/v1/status")["mesh"]
        except NodeNotRunning:
            return []
        return [endpoint for endpoint in map(Endpoint.parse, mesh) if endpoint.port]

    # -- signing -------------------------------------------------------------------------------------------------

    def has_key(self) -> bool:
        """Tell whether a node has made its keys here."""
        return self._data.file("name").load() is not None

    @asynccontextmanager
    async def keyring(self) -> AsyncIterator[Keyring]:
        """Open the user's own key.

        Raises:
            NoKeyHere: no node has made one.
        """
        name = (self._data.file("name").load() or b"").decode(errors="replace").strip()
        if not name:
            raise NoKeyHere(self._data.path)
        config = load_config(self._data.path / "config.toml", must_exist=False)
        backend = cast("Backend", config.node.openpgp)  # checked when the configuration was read
        keyring = await open_keyring(self._data.path, f"{name} <{canonical(name)}>", backend=backend)
        try:
            yield keyring
        finally:
            await keyring.aclose()

    async def sign(self, made: BootstrapList, *, with_key: bool) -> SignedList:
        """Return a list signed with the user's own key.

        Raises:
            NoKeyHere: no node has made one.
        """
        async with self.keyring() as keyring:
            return await sign_list(made, keyring, with_key=with_key)

    async def qr(self, made: BootstrapList, *, sign: bool) -> QrCode | None:
        """Return a code with the best nodes that fit, see `make_qr`.

        Raises:
            NoKeyHere: no node has made a key to sign with.
        """
        if not sign:
            return await make_qr(made, None)
        async with self.keyring() as keyring:
            return await make_qr(made, keyring)


def _wanted(name: str | None) -> str:
    if not name:
        raise ConfigError("A new network needs a name: --network NAME.")
    return name


def _new_network() -> Network:
    return Network(secrets.token_bytes(NEW_KEY_BYTES))


def _read_key_file(path: Path) -> bytes:
    try:
        with path.expanduser().open("rb") as file:
            return read_key(file.read(MAX_KEY_FILE_BYTES))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({reason(error)}).") from error
    except BadKey as error:
        raise ConfigError(f"{path} holds no OpenPGP public key: {error}") from error
