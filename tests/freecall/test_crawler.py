"""What somebody learns who reads the whole directory and guesses names: those guessed, of listed users, only."""

import asyncio
import base64
import itertools
import random
from pathlib import Path

from freecall.announce import Announcer
from freecall.config import Config, NodeConfig
from freecall.events import EventLog
from freecall.identity import Identity, open_identity
from freecall.mesh_uri import canonical, user_of
from freecall.store import DataDirectory
from overlay.protocol.claim import Claim
from tests.overlay.attackers.crawler import Crawler
from tests.overlay.swarm import Swarm
from trust.protocol.packed_key import pack
from trust.uris import self_certifying_uri

LISTED, UNLISTED = 20, 5
NOW = 1_800_000_000.0
SYLLABLES = ["".join(letters) for letters in itertools.product("bdfghjklmnprst", "aeiou")]
DICTIONARY = ["".join(parts) for parts in itertools.product(SYLLABLES, repeat=3)][:10_000]


async def _user(path: Path, name: str, *, unlisted: bool) -> Identity:
    config = Config(node=NodeConfig(name=name, openpgp="sequoia", unlisted=unlisted))
    with DataDirectory(path) as data:
        identity = await open_identity(data, config, now=NOW)
        await identity.keyring.aclose()
        return identity


async def _crawled_mesh(users: list[Identity]) -> Crawler:
    """Run a node for each user until everybody has published, and read what all of them hold."""
    log, crawler = EventLog(lambda: NOW), Crawler()
    addresses = {uri for user in users for uri in user.uris}
    async with Swarm() as swarm, asyncio.TaskGroup() as group:
        announcing = []
        with log.subscribe() as events:
            for user in users:
                node = await swarm.start(key=user.node_key)
                announcer = Announcer(user, node.overlay, [node.endpoint], log)
                announcing.append(group.create_task(announcer.run()))
            async with asyncio.timeout(60):
                while addresses:
                    event = await events.next()
                    if event.name == "published":
                        addresses.remove(event["uri"])
        for node in swarm.nodes:
            crawler.read(node.overlay._protocol.store_of_records)
        for task in announcing:
            task.cancel()
    return crawler


def _in_the_clear(user: Identity) -> set[bytes]:
    """Return what would give a user away."""
    fingerprint = bytes.fromhex(user.keyring.fingerprint)
    return {
        user.name.encode(),
        user_of(user.uri).rpartition("+")[2].encode(),
        fingerprint,
        fingerprint.hex().encode(),
        base64.b32encode(fingerprint),
        *(user.public_key[at : at + 32] for at in range(0, len(user.public_key) - 32, 16)),
    }


async def test_of_listed_and_unlisted_users_a_crawler_learns_the_listed_ones(tmp_path: Path) -> None:
    names = random.Random(3).sample(DICTIONARY, LISTED + UNLISTED)
    users = [
        await _user(tmp_path / name, name, unlisted=number >= LISTED) for number, name in enumerate(names)
    ]
    listed, unlisted = users[:LISTED], users[LISTED:]
    crawler = await _crawled_mesh(users)
    assert len(crawler.claims) == 2 * len(users)
    assert len(crawler.nodes) == len(crawler.blobs) == len(users)

    guesses = [canonical(name) for name in DICTIONARY]
    assert len(guesses) == 10_000
    assert {user.name for user in users} <= set(DICTIONARY)
    learned = crawler.learned(guesses)
    assert set(learned) == {user.uri for user in listed}
    assert all(learned[user.uri].node_public_key == user.node_key.public_key for user in listed)
    assert set(crawler.keys(canonical(user.name) for user in users)) == {user.uri for user in listed}

    fingerprints = [user.keyring.fingerprint for user in users]
    by_keyserver = {self_certifying_uri(user.name, user.keyring.fingerprint): user.long_uri for user in users}
    assert set(crawler.learned(by_keyserver)) == {user.long_uri for user in listed}
    every_pair = (
        self_certifying_uri(name, fingerprint) for name in DICTIONARY for fingerprint in fingerprints[LISTED:]
    )
    assert crawler.learned(every_pair) == {}

    assert crawler.sees({word for user in users for word in _in_the_clear(user)}) == set()
    node_keys = {user.node_key.public_key for user in users}
    assert crawler.sees(node_keys) == node_keys  # that there are nodes, and where, is no secret
    for user in unlisted:  # who has the address finds the same things in the same heap
        claim = crawler.learned([user.uri])[user.uri]
        assert isinstance(claim, Claim)
        assert crawler.keys([user.uri]) == {user.uri: pack(user.public_key)}
