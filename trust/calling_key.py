"""The user's own GnuPG key, with a calling key: subkeys that this node keeps, so that no call waits for a passphrase.

The primary key binds them once a year, through its agent or card (docs/decisions/0012-calling-subkey.md). To everybody
else they are subkeys of that key like any others.
"""

from itertools import pairwise
from pathlib import Path

import pysequoia
from pysequoia.packet import PacketPile, Tag

from .errors import BadKey, BadSignature, KeyringError
from .openpgp import inspect, smallest, utc_now
from .own_file import OwnFile
from .ports import Store
from .protocol.packets import PUBLIC_KEY, PUBLIC_SUBKEY, SIGNATURE, USER_ID, Packet, split
from .protocol.subkey_binding import (
    ECDSA,
    EDDSA,
    MAY_ENCRYPT,
    MAY_SIGN,
    RSA,
    SECRET_SUBKEY,
    Binding,
    fingerprint,
    secret_packet,
    subkeys,
)
from .sequoia_keyring import SequoiaKeyring
from .user_gpg import ListedKey, UserGpg
from .writer_lock import writer_lock

KEY_FILE = "calling.key"
LIFETIME_SECONDS = 366 * 86400
RENEW_SECONDS = 30 * 86400
BACKDATE_SECONDS = 86400
REQUEST = (
    "Free Call asks your key to take the calling key of this computer as its subkey, for a year. "
    "Calls ask for nothing."
)


class CallingKeyring(SequoiaKeyring):
    """A `trust.keyring.Keyring` for the user's own key, by subkeys that are good until ``not_after`` (Unix seconds)."""

    def __init__(self, kept: bytes, not_after: float, notices: tuple[str, ...] = ()) -> None:
        super().__init__(pysequoia.Tsk.from_bytes(kept), public=lambda key: key)
        self.not_after = not_after
        self.notices = notices


async def open_calling_keyring(
    home: Path, selector: str, *, user_home: Path | None = None, store: Store | None = None
) -> CallingKeyring:
    """Open the calling key of the user's key ``selector``; ask that key for one when there is none, or it ends soon.

    ``store`` (``home``/calling.key by default) keeps it. ``user_home`` is the user's GNUPGHOME, None gpg's own choice.

    Raises:
        KeyringError: the key cannot be used; the message says why.
    """
    gpg = UserGpg(user_home)
    file: Store = store or _own_file(home)
    async with writer_lock(home / f".{KEY_FILE}.lock"):
        kept = file.load()
        now = utc_now().timestamp()
        try:
            own = await gpg.own_key(selector)
            head = _head(await gpg.export(own.fingerprint), own)
        except KeyringError as error:
            if kept is None or not _is_named(kept, selector) or _not_after(kept) <= now:
                raise
            return _opened(kept, f"{error} The calling key from before is used.")
        key, notice = await _renewed(gpg, own, head, kept, now)
        if key != kept:
            file.save(key)
        return _opened(key, notice)


async def _renewed(
    gpg: UserGpg, own: ListedKey, head: bytes, kept: bytes | None, now: float
) -> tuple[bytes, str]:
    """Return the key to keep, and what to tell. The user's part is always the newest."""
    old = None
    if kept is not None and _primary(kept) == _primary(head):
        old = head + b"".join(packet.raw for packet in _calling_part(kept))
        if _not_after(old) > now + RENEW_SECONDS:
            return old, ""
    try:
        return await _bound(gpg, own, head, int(now)), ""
    except KeyringError as error:
        if old is None or _not_after(old) <= now:
            raise
        return old, f"{error} {ends_on(_not_after(old))}"


def ends_on(not_after: float) -> str:
    """Return the warning about a calling key that ends at ``not_after`` (Unix seconds)."""
    day = utc_now().fromtimestamp(not_after).date()
    return f"The calling key of this computer ends on {day}: start the node where your key can sign, before that day."


async def _bound(gpg: UserGpg, own: ListedKey, head: bytes, now: int) -> bytes:
    """Make subkeys and have the primary key bind them."""
    if not own.is_at_hand:
        raise KeyringError(
            f"The secret part of your primary key {own.fingerprint} is not on this computer. "
            "Bring it (disk, card) for the first start; after that it is needed once a year."
        )
    primary = split(head)[0].body
    fresh = pysequoia.Tsk.generate(user_id="calling", profile=pysequoia.Profile.RFC4880)
    made = max(now - BACKDATE_SECONDS, int.from_bytes(primary[1:5], "big"))
    pairs = subkeys(split(bytes(fresh.extract_certificate())), split(bytes(fresh)))
    key = head
    for subkey, flags in zip(pairs, (MAY_SIGN, MAY_ENCRYPT), strict=True):
        binding = Binding(primary, subkey.at(made), flags, made, LIFETIME_SECONDS)
        answer = await gpg.sign_digest(own.keygrip, binding.digest, binding.hash_name, REQUEST)
        try:
            key += secret_packet(binding.subkey) + binding.packet(answer)
        except BadSignature as error:
            raise KeyringError(f"Your OpenPGP key did not sign: {error}.") from error
    await _check(key)
    return key


async def _check(key: bytes) -> None:
    """Make sure that others will accept what we shall sign."""
    keyring = CallingKeyring(key, 0.0)
    public = await keyring.export()
    try:
        await keyring.verify(b"free call", await keyring.sign(b"free call"), public)
    except (BadKey, BadSignature, KeyringError) as error:
        raise KeyringError(
            f"Your OpenPGP key has signed, but the calling key is not accepted: {error}."
        ) from error


def _own_file(home: Path) -> OwnFile:
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return OwnFile(home / KEY_FILE)


def _opened(key: bytes, notice: str) -> CallingKeyring:
    return CallingKeyring(key, _not_after(key), (notice,) if notice else ())


_UNFIT = "Your key {name} is of a kind that others could not check. Use Ed25519, NIST P-256 or P-384, or RSA."


def _head(public: bytes, own: ListedKey) -> bytes:
    """Return the part that only the user's gpg can change: primary key, one user id, their signatures.

    Raises:
        KeyringError: revoked, expired, or of a kind that the mesh has no room for.
    """
    name = own.fingerprint
    if own.validity == "r":
        raise KeyringError(f"Your key {name} is revoked: nobody would accept your calls. Choose another key.")
    packets = split(public)
    if packets[0].tag != PUBLIC_KEY or packets[0].body[0] != 4:
        raise KeyringError(f"Your key {name} is not an OpenPGP key of version 4, which calls need.")
    if packets[0].body[5] not in (RSA, ECDSA, EDDSA):
        raise KeyringError(_UNFIT.format(name=name))
    # before the framing check: a key with a dozen photographs is fine, since only one name is taken
    head = b"".join(packet.raw for packet in _own_part(packets, _user_id(own)))
    try:
        info = inspect(head, utc_now())
    except BadKey as error:
        raise KeyringError(_UNFIT.format(name=name)) from error
    if info.expired:
        raise KeyringError(f"Your key {name} has expired. Extend it: gpg --quick-set-expire {name} 2y.")
    return head


def _user_id(own: ListedKey) -> bytes:
    """Return the user id to show: the one with a mesh address, else the first that holds."""
    good = [each.text for each in own.user_ids if each.validity != "r"]
    if not good:
        raise KeyringError(f"Your key {own.fingerprint} has no valid user id. See gpg --list-keys.")
    return next((text for text in good if "@mesh" in text), good[0]).encode(errors="surrogateescape")


def _own_part(packets: list[Packet], user_id: bytes) -> list[Packet]:
    part, taken = [], True
    for packet in packets:
        if packet.tag == PUBLIC_SUBKEY:
            break
        if packet.tag not in (PUBLIC_KEY, SIGNATURE):
            taken = packet.tag == USER_ID and packet.body == user_id
        if taken:
            part.append(packet)
    return part


def _primary(key: bytes) -> bytes:
    return fingerprint(split(key)[0].body)


def _calling_part(kept: bytes) -> list[Packet]:
    packets = split(kept)
    first = next(at for at, packet in enumerate(packets) if packet.tag == SECRET_SUBKEY)
    return packets[first:]


def _not_after(kept: bytes) -> float:
    """Return when the first of the subkeys ends, in Unix seconds."""
    ends: list[float] = []
    for subkey, binding in pairwise(PacketPile.from_bytes(kept)):
        if subkey.tag == Tag.SecretSubkey and binding.key_validity_period is not None:
            ends.append(subkey.key_created.timestamp() + binding.key_validity_period.total_seconds())
    return min(ends)


def _is_named(kept: bytes, selector: str) -> bool:
    """Tell whether gpg would have found the kept key by ``selector``."""
    info = inspect(smallest(bytes(pysequoia.Tsk.from_bytes(kept).extract_certificate())), utc_now())
    wanted = selector.removeprefix("0x").replace(" ", "").rstrip("!").upper()
    return info.fingerprint.endswith(wanted) or any(
        selector.upper() in each.upper() for each in info.user_ids
    )
