"""Put tokens (BEP 5): only who receives datagrams at an address may store from there, so addresses cannot be forged."""

import hmac

TOKEN_BYTES = 8
ROTATE_SECONDS = 300.0


HELD_SECONDS = 240.0
MAX_HELD = 4096


class HeldTokens:
    """The tokens that others gave us, each used for four minutes; the oldest are forgotten when there are too many."""

    def __init__(self) -> None:
        self._tokens: dict[tuple[str, int], tuple[bytes, float]] = {}

    def __len__(self) -> int:
        return len(self._tokens)

    def keep(self, address: tuple[str, int], token: bytes, now: float) -> None:
        """Keep the newest token of an address."""
        self._tokens.pop(address, None)
        self._tokens[address] = (token, now)
        if len(self._tokens) > MAX_HELD:
            self._tokens.pop(next(iter(self._tokens)))

    def of(self, address: tuple[str, int], now: float) -> bytes:
        """Return the token of an address, empty when it gave none lately."""
        token, since = self._tokens.get(address, (b"", 0.0))
        return token if now - since < HELD_SECONDS else b""


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
