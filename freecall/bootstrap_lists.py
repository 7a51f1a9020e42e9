"""The bootstrap lists that a data directory holds, and the networks that a node takes part in because of them.

Each imported list is kept as it came, in a file of its own; they are merged when they are used.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from overlay.peers import RememberedPeers
from overlay.protocol.bootstrap_list import MAX_SCORE, BootstrapList, Entry, ListRefused, SignedList
from overlay.protocol.bootstrap_merge import merge
from overlay.protocol.network import PUBLIC, Network

from .errors import ConfigError
from .store import DataDirectory, FileStore

PUBLIC_NAME = "public"
PREFIX = "list-"
MAX_LISTS = 20
"""For one network. What is too much goes, the oldest first."""

LEAST_OWN_SCORE = 51
"""Better than anything that is hearsay (`overlay.protocol.bootstrap_merge`)."""


@dataclass(frozen=True)
class KnownNetwork:
    """A network that the data directory has lists for. ``name`` is that of its newest list."""

    name: str
    network: Network
    lists: tuple[BootstrapList, ...]

    @property
    def newest(self) -> BootstrapList:
        """The list made last."""
        return max(self.lists, key=lambda made: made.created)

    def complaint(self, now: float) -> str:
        """Return a sentence when no list is within its lifetime; empty when one is."""
        if not all(made.is_expired(now) for made in self.lists):
            return ""
        return (
            f"The bootstrap list for {self.name} is {self.newest.age_days(now)} days old by this computer's clock, "
            f"and was made for {self.newest.lifetime_days}. It is used all the same; ask for a newer one."
        )


class BootstrapLists:
    """The lists in a data directory."""

    def __init__(self, data: DataDirectory) -> None:
        self._data = data

    def keep(self, signed: SignedList) -> bool:
        """Keep a list; False when it is there already.

        Raises:
            OSError: the folder cannot be written to.
        """
        made = signed.content
        name = f"{PREFIX}{made.network.label}-{hashlib.sha256(bytes(signed)).hexdigest()[:8]}"
        store = self._data.file(name)
        if store.load() is not None:
            return False
        self._data.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        store.save(bytes(signed))
        held = sorted(self._held(made.network), key=lambda item: item[1].created)
        for store, _ in [item for item in held if item[0].path.name != name][: max(0, len(held) - MAX_LISTS)]:
            store.path.unlink(missing_ok=True)
        return True

    def forget(self, network: Network) -> int:
        """Remove all lists of a network; return how many there were."""
        held = list(self._held(network))
        for store, _ in held:
            store.path.unlink(missing_ok=True)
        return len(held)

    def networks(self) -> list[KnownNetwork]:
        """Return the networks, by name."""
        found: dict[Network, list[BootstrapList]] = {}
        for _, made in self._held():
            found.setdefault(made.network, []).append(made)
        known = [
            KnownNetwork(max(lists, key=lambda made: made.created).name, network, tuple(lists))
            for network, lists in found.items()
        ]
        return sorted(known, key=lambda one: (one.name, one.network.label))

    def chosen(self, names: Sequence[str]) -> list[KnownNetwork]:
        """Return the networks to take part in: those named; else each private one; else the public one.

        A network is named as its list is, by its label where two share a name, and the public one also ``public``.

        Raises:
            ConfigError: there is no list for a name.
        """
        known = self.networks()
        public = next((one for one in known if not one.network.key), KnownNetwork(PUBLIC_NAME, PUBLIC, ()))
        if not names:
            return [one for one in known if one.network.key] or [public]
        return list({one.network: one for one in (_named(name, known, public) for name in names)}.values())

    def damaged(self) -> list[str]:
        """Return a sentence for each file that cannot be read."""
        return [
            f"{store.path} is passed over: {made}. Import the list again."
            for store, made in self._files(None)
            if isinstance(made, ListRefused)
        ]

    def entries(self, known: KnownNetwork, now: float) -> tuple[Entry, ...]:
        """Return the nodes of a network, best first: those that this node met itself, then those of the lists."""
        return merge(known.lists, self.met(known.network), now=int(now))

    def held(self, known: KnownNetwork, now: float) -> BootstrapList:
        """Return the lists of a network as one, with the date of the newest."""
        newest = known.newest
        entries = tuple(merge(known.lists, (), now=int(now)))
        return replace(newest, entries=entries, signer_key=b"")

    def met(self, network: Network) -> list[Entry]:
        """Return the nodes that this node has met, with a score by how lately."""
        endpoints = RememberedPeers(self.peers(network)).load()
        lowest = MAX_SCORE - LEAST_OWN_SCORE
        return [
            Entry(endpoint, MAX_SCORE - min(lowest, place // 4)) for place, endpoint in enumerate(endpoints)
        ]

    def peers(self, network: Network) -> FileStore:
        """Return where a node keeps those that it met on a network."""
        return self._data.file(f"peers-{network.label}" if network.key else "peers")

    def _held(self, network: Network | None = None) -> Iterable[tuple[FileStore, BootstrapList]]:
        return [(store, made) for store, made in self._files(network) if isinstance(made, BootstrapList)]

    def _files(self, network: Network | None) -> Iterable[tuple[FileStore, BootstrapList | ListRefused]]:
        pattern = f"{PREFIX}{network.label if network else '*'}-*"
        for path in sorted(self._data.path.glob(pattern)):
            store = FileStore(path)
            try:
                yield store, SignedList.parse(store.load() or b"").content.without_strangers_loopback()
            except ListRefused as error:
                yield store, error


def _named(name: str, known: Sequence[KnownNetwork], public: KnownNetwork) -> KnownNetwork:
    everybody = [*known, *([] if public in known else [public])]
    found = [
        one
        for one in everybody
        if name in (one.name, one.network.label) or (one is public and name == PUBLIC_NAME)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        labels = " or ".join(one.network.label for one in found)
        raise ConfigError(f"Two networks are called {name}. Write {labels} in its place.")
    names = ", ".join(one.name for one in known) or "none so far"
    raise ConfigError(
        f"There is no list for the network {name} here (there is: {names}). Get one from somebody who is on it, "
        "and run fc-bootstrap import FILE."
    )
