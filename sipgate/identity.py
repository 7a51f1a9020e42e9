"""Who sent a request between nodes: `Identity` put on what goes out, checked on what comes in.

The token itself is in `protocol/passport.py`. Here is the node's key, and the memory against replays.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .ports import Refusal
from .protocol import passport
from .protocol.errors import SipError
from .protocol.message import Request

_SENTENCES = {
    428: "Calls between nodes must be signed by the calling node",
    438: "The signature of the calling node does not fit the call",
}


class NodeIdentity:
    """Signs requests with the node key. `clock` gives Unix seconds; nobody relies on them."""

    def __init__(self, key: Ed25519PrivateKey, clock: Callable[[], float]) -> None:
        self._key = key
        self._clock = clock
        self.node_public_key = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def with_key(self, key: Ed25519PrivateKey) -> NodeIdentity:
        """Return one that signs with another key."""
        return NodeIdentity(key, self._clock)

    def sign(self, request: Request) -> None:
        """Put `Identity` on a request that is otherwise complete."""
        value = passport.sign(request, self.node_public_key, int(self._clock()), self._key.sign)
        request.headers.set("Identity", value)

    def cancel_headers(self, invite: Request) -> Iterable[tuple[str, str]]:
        """Return the headers that sign the CANCEL of an INVITE, which the transaction layer makes."""
        cancel = Request("CANCEL", invite.uri)
        for name in ("From", "To", "Call-ID"):
            cancel.headers.add(name, invite.headers.get(name) or "")
        cancel.headers.add("CSeq", f"{invite.cseq.number} CANCEL")
        self.sign(cancel)
        return [("Identity", cancel.headers.get("Identity") or "")]


def sender_of(request: Request) -> bytes:
    """Return the public key of the node that signed the request; raise `Refusal` 428, 438 or 400."""
    try:
        return passport.verify(request).node_public_key
    except SipError as error:
        raise Refusal(error.status, _SENTENCES.get(error.status, error.reason)) from None


class ReplayMemory:
    """Remembers the latest INVITEs by (Call-ID, CSeq number, From tag); the oldest are forgotten first."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._seen: OrderedDict[tuple[str, int, str], None] = OrderedDict()

    def refuse_replay(self, request: Request) -> None:
        """Note an INVITE; raise `Refusal` 403 when it came before."""
        key = (request.call_id, request.cseq.number, request.from_.tag or "")
        if key in self._seen:
            raise Refusal(403, "This call has been made before: somebody may be replaying it")
        self._seen[key] = None
        if len(self._seen) > self._cap:
            self._seen.popitem(last=False)

    def __len__(self) -> int:
        return len(self._seen)
