"""Who this node is: its keys, its user's name, the phones' password. Made at the first start, kept ever after."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from overlay.identity import NodeKey
from trust.delegation import Delegation, DelegationRefused, SignedDelegation, delegate
from trust.keyring import Backend, BadKey, BadSignature, Keyring, open_keyring
from trust.uris import self_certifying_uri

from .config import Config
from .errors import ConfigError, reason
from .mesh_uri import (
    MAX_USER,
    SECRET_BYTES,
    SERVICE_NAMES,
    canonical,
    is_anonymous,
    is_secret,
    login_name,
    secret_from,
    user_of,
)
from .store import DataDirectory

DELEGATION_SECONDS = 2 * 365 * 86400
RENEW_BEFORE_SECONDS = 365 * 86400


@dataclass(frozen=True)
class Identity:
    """A node and the user it speaks for.

    ``name`` is what people and phones say; ``uri`` and ``long_uri`` are the addresses, with a secret in them when the
    user is ``unlisted``. With the user's own GnuPG key, ``calling_until`` is when this node's subkeys of it end (Unix
    seconds), and ``notices`` are what a person should hear of it.
    """

    name: str
    unlisted: bool
    uri: str
    long_uri: str
    node_key: NodeKey
    keyring: Keyring
    public_key: bytes
    delegation: SignedDelegation
    sip_secret: str = field(repr=False)
    calling_until: float | None = None
    notices: tuple[str, ...] = ()

    @property
    def uris(self) -> frozenset[str]:
        """Every address under which the user is called from the mesh."""
        return frozenset({self.uri, self.long_uri})


def node_key(data: DataDirectory) -> NodeKey:
    """Return the node's key; the first call makes it."""
    store = data.file("node.key")
    seed = store.load()
    if seed is None:
        key = NodeKey.generate()
        store.save(key.seed)
        return key
    try:
        return NodeKey.from_seed(seed)
    except ValueError as error:
        raise ConfigError(
            f"{store.path} is damaged ({error}). Restore it from a copy, or remove it to become a new node."
        ) from error


def user_name(data: DataDirectory, wanted: str) -> str:
    """Return the user's name: the one asked for now, the one kept from before, or the login name.

    Raises:
        ConfigError: every node has a service of that name, or it is nobody's.
    """
    store = data.file("name")
    kept = (store.load() or b"").decode(errors="replace").strip()
    name = user_of(canonical(wanted or kept or login_name()))
    if is_anonymous(canonical(name)):
        raise ConfigError(
            f"{name} is what callers are shown as who give no name. Choose another with --name."
        )
    if name in SERVICE_NAMES:
        raise ConfigError(f"{name}@mesh is a service of every node. Choose another name with --name.")
    if name != kept:
        store.save(name.encode() + b"\n")
    return name


def user_part(data: DataDirectory, name: str, *, unlisted: bool) -> str:
    """Return the user part of the address: the name, or ``name+SECRET``.

    The secret is drawn the first time that ``unlisted`` is asked for. It stays, and so does the user: a start that
    forgets to ask again must not list them.

    Raises:
        ConfigError: the name leaves no room for the secret, or the file with the secret is damaged.
    """
    store = data.file("unlisted.secret")
    raw = store.load()
    if raw is None and not unlisted:
        return name
    kept = None if raw is None else raw.decode(errors="replace").strip()
    secret = kept if kept is not None else secret_from(secrets.token_bytes(SECRET_BYTES))
    room = MAX_USER - len(secret) - 1
    if not is_secret(secret):
        raise ConfigError(
            f"{store.path} is damaged. Restore it from a copy; for a new address remove it and say --unlisted."
        )
    if len(name) > room:
        raise ConfigError(
            f"An unlisted name can have {room} letters, {name} has {len(name)}. Choose a shorter one."
        )
    if kept is None:
        store.save(secret.encode() + b"\n")
    return f"{name}+{secret}"


def sip_secret(data: DataDirectory, secret_file: str) -> str:
    """Return the phones' password: the first line of ``secret_file``, or a random one that is kept.

    Raises:
        ConfigError: the file cannot be read or its first line is empty.
    """
    if secret_file:
        try:
            lines = Path(secret_file).expanduser().read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"The phones' password cannot be read from {secret_file} ({reason(error)})."
            ) from error
        if not lines or not lines[0].strip():
            raise ConfigError(f"The first line of {secret_file} is empty. Write the phones' password there.")
        return lines[0].strip()
    store = data.file("sip.secret")
    kept = store.load()
    if kept:
        return kept.decode().strip()
    secret = secrets.token_urlsafe(12)
    store.save(secret.encode() + b"\n")
    return secret


async def open_identity(data: DataDirectory, config: Config, *, now: float) -> Identity:
    """Load or make everything that says who we are.

    Raises:
        ConfigError: something on disk or in the configuration cannot be used.
    """
    name = user_name(data, config.node.name)
    user = user_part(data, name, unlisted=config.node.unlisted)
    uri = canonical(user)
    key = node_key(data)
    keyring, calling_until, notices = await _keyring(data, config, name)
    return Identity(
        name=name,
        unlisted=user != name,
        uri=uri,
        long_uri=self_certifying_uri(user, keyring.fingerprint),
        node_key=key,
        keyring=keyring,
        public_key=await keyring.export(),
        delegation=await _delegation(data, keyring, uri, key.public_key, now),
        sip_secret=sip_secret(data, config.phones.secret_file),
        calling_until=calling_until,
        notices=notices,
    )


async def _keyring(
    data: DataDirectory, config: Config, name: str
) -> tuple[Keyring, float | None, tuple[str, ...]]:
    """Return the keyring; of a calling key also its end, and what to tell of it."""
    if config.node.openpgp_key:
        from trust.calling_key import open_calling_keyring  # most nodes have a key of their own

        calling = await open_calling_keyring(data.path, config.node.openpgp_key)
        return calling, calling.not_after, calling.notices
    backend = cast("Backend", config.node.openpgp)  # checked when the configuration was read
    user_id = f"{name} <{canonical(name)}>"  # without the secret: keys are copied to other places
    return await open_keyring(data.path, user_id, backend=backend), None, ()


async def _delegation(
    data: DataDirectory, keyring: Keyring, uri: str, node_public_key: bytes, now: float
) -> SignedDelegation:
    """Return our delegation for this name and node: the kept one while it is good for long, else a new one."""
    store = data.file("delegation")
    serial = 1
    raw = store.load()
    if raw is not None:
        try:
            kept = SignedDelegation.parse(raw)
        except DelegationRefused:
            pass  # damaged: a new one with a fresh serial replaces it
        else:
            serial = kept.delegation.serial + 1
            is_ours = kept.fingerprint == keyring.fingerprint and kept.delegation.uri == uri
            is_for_node = kept.delegation.node_public_key == node_public_key
            is_for_long = kept.delegation.not_after > now + RENEW_BEFORE_SECONDS
            if is_ours and is_for_node and is_for_long and await _still_holds(keyring, kept):
                return kept
    fresh = await delegate(
        keyring,
        Delegation(
            uri=uri, node_public_key=node_public_key, serial=serial, not_after=int(now) + DELEGATION_SECONDS
        ),
    )
    store.save(bytes(fresh))
    return fresh


async def _still_holds(keyring: Keyring, kept: SignedDelegation) -> bool:
    """Tell whether others, with our key as it is now, accept what we signed: the subkey may have been replaced."""
    try:
        await keyring.verify(kept.delegation.statement(), kept.signature, await keyring.export())
    except (BadKey, BadSignature):
        return False
    return True
