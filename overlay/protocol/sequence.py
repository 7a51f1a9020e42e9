"""The sequence rule (BEP 44): of two versions by one key the one with the higher number holds; no version comes back.

It needs no clock that is right. The same number with other bytes is refused, too: it would let an owner show different
things to different nodes. The very same bytes renew the time to live.
"""

from .errors import StoreCode, StoreRefused


def check_supersedes(seq: int, raw: bytes, held_seq: int, held_raw: bytes) -> None:
    """Make sure that a record may take the place of the one that is held.

    Raises:
        StoreRefused: it is older, or another of the same number.
    """
    if seq < held_seq or (seq == held_seq and raw != held_raw):
        raise StoreRefused(StoreCode.STALE, "a newer version is held")
