"""Key continuity: do both sides still have the secret of their last call? (RFC 6189 sections 4.3 and 4.9, translated.)

Beside the confirmation, not in it: a lost secret is told, and ends no call. Whoever has stolen the OpenPGP key of a
person, but was not in their last call, cannot show its secret. Sans-IO: what is lost on the
way is sent again by whoever drives this.
"""

import hmac

from .confirmation_messages import HEADER_BYTES, WIRE_VERSION
from .transcript import Role, length_prefixed

KIND = 6
SECRET_BYTES = 32
TAG_BYTES = 16
MAX_SECRETS = 2
"""The last one, and the one before: the other side may have missed the end of the last call."""

BODY_BYTES = 1 + MAX_SECRETS * TAG_BYTES
MAX_REPEATS = 12
_HEADER = bytes((WIRE_VERSION, KIND)) + BODY_BYTES.to_bytes(2)
_PEER: dict[Role, Role] = {"caller": "callee", "callee": "caller"}


def is_continuity(data: bytes) -> bool:
    """Tell whether a message is one of these, whole; any other is for the confirmation to judge."""
    return len(data) == HEADER_BYTES + BODY_BYTES and data.startswith(_HEADER) and data[HEADER_BYTES] <= 1


class Continuity:
    """One side. ``secrets`` are those that are kept of this peer, at most two; ``filler`` 32 random bytes.

    `matched` is None until the peer's message is in.
    """

    def __init__(self, role: Role, secrets: tuple[bytes, ...], filler: bytes) -> None:
        if len(secrets) > MAX_SECRETS or len(filler) != MAX_SECRETS * TAG_BYTES:
            raise ValueError("at most two secrets, and 32 bytes of filler")
        self.matched: bool | None = None
        self._role: Role = role
        self._secrets = secrets
        self._filler = filler
        self._session_hash = b""
        self._early = b""
        self._is_seen = False
        self._repeats = 0

    def agreed(self, session_hash: bytes) -> bytes:
        """Take the session hash of this call; return the message to send."""
        self._session_hash = session_hash
        if self._early:
            self._compare(self._early)
        return self._message()

    def receive(self, data: bytes) -> bytes | None:
        """Take a message for which `is_continuity` holds; return an answer to send, if the peer has not seen ours."""
        body = data[HEADER_BYTES:]
        self._is_seen = self._is_seen or body[0] == 1
        if not self._session_hash:
            self._early = body  # it overtook the last message of the confirmation
            return None
        first = self.matched is None
        if first:
            self._compare(body)
        return self._message() if first or not body[0] else None

    def unacknowledged(self) -> list[bytes]:
        """Return the message to send again, a few times at most: a peer that knows none of this never answers."""
        if (
            not self._session_hash
            or (self._is_seen and self.matched is not None)
            or self._repeats >= MAX_REPEATS
        ):
            return []
        self._repeats += 1
        return [self._message()]

    def _message(self) -> bytes:
        tags = b"".join(self._tag(self._role, secret) for secret in self._secrets)
        seen = bytes([self.matched is not None])
        body = (seen + tags + self._filler)[:BODY_BYTES]
        return _HEADER + body

    def _compare(self, body: bytes) -> None:
        """Compare all with all: either side may be one call behind."""
        theirs = [body[at : at + TAG_BYTES] for at in range(1, BODY_BYTES, TAG_BYTES)]
        mine = [self._tag(_PEER[self._role], secret) for secret in self._secrets]
        equal = [hmac.compare_digest(one, other) for one in mine for other in theirs]
        self.matched = any(equal)

    def _tag(self, role: Role, secret: bytes) -> bytes:
        text = length_prefixed(b"freecall-continuity-1", role.encode(), self._session_hash)
        return hmac.digest(secret, text, "sha256")[:TAG_BYTES]
