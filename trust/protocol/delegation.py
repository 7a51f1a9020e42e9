"""Delegation: the user's OpenPGP key says "this node speaks for me". Bytes: docs/protocol/trust.md."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgpack

from .errors import BadUri, DelegationRefused
from .statement import statement
from .uris import FINGERPRINT_BYTES, MeshUri, fingerprint_bytes

PURPOSE = b"freecall-delegation-1"
VERSION = 1
MAX_BYTES = 800
NODE_PUBLIC_KEY_BYTES = 32
MAX_SERIAL = 2**63 - 1
MAX_NOT_AFTER = 2**48 - 1
SLACK_SECONDS = 30 * 86400
"""How long after ``not_after`` a delegation is still taken: the checking machine's clock may be wrong."""


@dataclass(frozen=True)
class Delegation:
    """What the user says: ``node_public_key`` (32 raw bytes, Ed25519) may claim ``uri`` for me.

    ``serial`` grows with each delegation that a user makes; ``not_after`` is in Unix seconds.
    """

    uri: str
    node_public_key: bytes
    serial: int
    not_after: int

    def __post_init__(self) -> None:
        try:
            MeshUri.parse(self.uri)
        except BadUri as error:
            raise DelegationRefused("its address is malformed") from error
        if len(self.node_public_key) != NODE_PUBLIC_KEY_BYTES:
            raise DelegationRefused("its node key is not 32 bytes long")
        if not 0 <= self.serial <= MAX_SERIAL:
            raise DelegationRefused("its serial number is out of range")
        if not 0 <= self.not_after <= MAX_NOT_AFTER:
            raise DelegationRefused("its date is out of range")

    def statement(self) -> bytes:
        """Return what the OpenPGP key signs."""
        return statement(
            PURPOSE,
            self.uri.encode(),
            self.node_public_key,
            self.serial.to_bytes(8, "big"),
            self.not_after.to_bytes(8, "big"),
        )

    def is_expired(self, now: float) -> bool:
        """True once ``not_after`` has passed by more than any likely clock error."""
        return now > self.not_after + SLACK_SECONDS

    def covers(self, uri: str, fingerprint: str) -> bool:
        """True when this, signed by ``fingerprint``, lets the node claim ``uri``.

        A delegation for the short name covers the self-certifying form of the same user and key too.
        """
        try:
            wanted = MeshUri.parse(uri)
        except BadUri:
            return False
        if wanted.fingerprint is not None and wanted.fingerprint != fingerprint:
            return False
        mine = MeshUri.parse(self.uri)
        return wanted == mine or (mine.fingerprint is None and wanted.user == mine.user)


@dataclass(frozen=True)
class SignedDelegation:
    """A delegation with the primary fingerprint and the detached binary signature of the key that made it."""

    delegation: Delegation
    fingerprint: str
    signature: bytes

    def __bytes__(self) -> bytes:
        d = self.delegation
        fingerprint = fingerprint_bytes(self.fingerprint)
        fields = [VERSION, d.uri, d.node_public_key, d.serial, d.not_after, fingerprint, self.signature]
        data: bytes = msgpack.packb(fields)
        return data

    @classmethod
    def parse(cls, data: bytes) -> "SignedDelegation":
        """Read what `bytes()` writes, and nothing else. The signature is not checked here.

        Raises:
            DelegationRefused: the bytes are malformed.
        """
        return _parse(data)


@lru_cache(maxsize=256)
def _parse(data: bytes) -> SignedDelegation:
    if len(data) > MAX_BYTES:
        raise DelegationRefused("it is too large")
    try:
        fields = msgpack.unpackb(
            data,
            max_array_len=7,
            max_map_len=0,
            max_ext_len=0,
            max_str_len=MAX_BYTES,
            max_bin_len=MAX_BYTES,
        )
    except ValueError as error:
        raise DelegationRefused("it is malformed") from error
    if not _is_well_typed(fields):
        raise DelegationRefused("it is malformed")
    _, uri, node_public_key, serial, not_after, fingerprint, signature = fields
    signed = SignedDelegation(
        Delegation(uri, node_public_key, serial, not_after), fingerprint.hex().upper(), signature
    )
    if bytes(signed) != data:
        raise DelegationRefused("it is not written in its one canonical form")
    return signed


def _is_well_typed(fields: Any) -> bool:
    if not isinstance(fields, list) or len(fields) != 7:
        return False
    if [type(field) for field in fields] != [int, str, bytes, int, int, bytes, bytes]:
        return False
    return fields[0] == VERSION and len(fields[5]) == FINGERPRINT_BYTES
