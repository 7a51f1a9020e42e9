"""Put tokens (BEP 5): only who receives datagrams at an address may store from there, so addresses cannot be forged."""

import hmac

TOKEN_BYTES = 8
ROTATE_SECONDS = 300.0


class Tokens:
    """Gives each address a token that holds for 5 to 10 minutes. Keeps no state per address."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def issue(self, host: bytes, now: float) -> bytes:
        """Return the token of an address (packed) at ``now`` (seconds of any steady clock)."""
        return self._token(host, int(now // ROTATE_SECONDS))

    def is_valid(self, token: bytes, host: bytes, now: float) -> bool:
        """Tell whether this node gave ``token`` to that address not long ago."""
        epoch = int(now // ROTATE_SECONDS)
        return any(hmac.compare_digest(token, self._token(host, e)) for e in (epoch, epoch - 1))

    def _token(self, host: bytes, epoch: int) -> bytes:
        return hmac.digest(self._secret, epoch.to_bytes(8, "big", signed=True) + host, "sha256")[:TOKEN_BYTES]
