"""What the pure part of the overlay raises: the other side is wrong, and we say so in one word and a sentence."""

from enum import IntEnum


class StoreCode(IntEnum):
    """The answer to a store request on the wire."""

    STORED = 0
    BAD_TOKEN = 1
    INVALID = 2
    STALE = 3
    FULL = 4


class WireError(Exception):
    """A datagram, record or value from the network is malformed. It is counted and dropped."""


class StoreRefused(Exception):
    """A record may not be stored; ``code`` goes back to the writer."""

    def __init__(self, code: StoreCode, why: str) -> None:
        super().__init__(why)
        self.code = code
