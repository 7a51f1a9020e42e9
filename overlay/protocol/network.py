"""Networks: nodes that share a network key form a mesh of their own, and two meshes on one LAN stay apart.

Each datagram of a private network ends with a MAC under its key. Without the key nobody is answered, nor heard. The
public network has no key and no MAC.
"""

import hashlib
import hmac
from dataclasses import dataclass, field

from .errors import WireError

MAC_BYTES = 8
LABEL_BYTES = 6


@dataclass(frozen=True)
class Network:
    """One network: ``key`` is its secret, empty for the public network."""

    key: bytes = field(default=b"", repr=False)

    @property
    def label(self) -> str:
        """A name that those inside know it by and that tells others nothing but whether two are the same."""
        return hashlib.sha256(b"freecall/network/1" + self.key).hexdigest()[: 2 * LABEL_BYTES]

    def seal(self, message: bytes) -> bytes:
        """Return the datagram that carries a message."""
        return message + self._mac(message) if self.key else message

    def open(self, datagram: bytes) -> bytes:
        """Return the message in a datagram.

        Raises:
            WireError: of another network.
        """
        if not self.key:
            return datagram
        message, mac = datagram[:-MAC_BYTES], datagram[-MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(message)):
            raise WireError("another network")
        return message

    def _mac(self, message: bytes) -> bytes:
        return hmac.digest(self.key, message, "sha256")[:MAC_BYTES]


PUBLIC = Network()
