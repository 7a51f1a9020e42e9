"""The confirmation of one call: commit, nonce, reveal, then a signature each way (docs/protocol/media.md).

Sans-IO. Messages, signatures made and signatures checked go in; what to send, sign, check and tell comes out.
DTLS application data may be lost, repeated or reordered: `unacknowledged()` gives what to send again, and a
repeated message changes nothing. A message that no honest peer sends in a state ends the confirmation. This
module knows neither keys nor clocks: time-outs are the driver's.

The table is the machine. `_STEPS` names the method that runs on the way; it may end in FAILED instead.
"""

import enum
import hmac
from dataclasses import dataclass

from .confirmation_messages import Kind, Message
from .transcript import NONCE_BYTES, Agreement, Role, Transcript, statement


class State(enum.Enum):
    """Where a confirmation stands."""

    IDLE = "caller, nothing sent"
    LISTENING = "callee, nothing heard"
    COMMITTED = "caller: bound to its nonce, waits for the callee's"
    ANSWERED = "callee: bound to the commitment, waits for the caller's nonce"
    AGREED = "same session hash here; peer's signature not checked, own not acknowledged"
    DELIVERED = "own signature acknowledged; peer's not checked yet"
    CONFIRMED = "peer's signature is good; own not acknowledged yet"
    COMPLETE = "peer's signature is good, own acknowledged"
    FAILED = "ended for a reason that is given"


class Input(enum.Enum):
    """What can happen to a confirmation."""

    START = enum.auto()
    COMMIT = enum.auto()
    NONCE = enum.auto()
    REVEAL = enum.auto()
    SIGNATURE = enum.auto()
    DONE = enum.auto()
    SIGNED = enum.auto()
    VERIFIED = enum.auto()
    REJECTED = enum.auto()


@dataclass(frozen=True)
class Send:
    """Send this message now."""

    data: bytes


@dataclass(frozen=True)
class Sign:
    """Have our user's key sign this; give the result to `signed`."""

    statement: bytes


@dataclass(frozen=True)
class Verify:
    """Check the peer's signature over this; give the result to `verified` or `rejected`."""

    statement: bytes
    signature: bytes


@dataclass(frozen=True)
class Agreed:
    """Both sides have the same session, if nobody stands between them: the words can be compared."""

    agreement: Agreement


@dataclass(frozen=True)
class Confirmed:
    """The peer's signature over our own session hash is good; or, `signed` false, it gave none."""

    signed: bool


@dataclass(frozen=True)
class Failed:
    """The confirmation has failed; the call must not go on."""

    reason: str


Action = Send | Sign | Verify | Agreed | Confirmed | Failed

_S, _I = State, Input
_STEPS: dict[tuple[State, Input], tuple[State, str]] = {
    (_S.IDLE, _I.START): (_S.COMMITTED, "_commit"),
    (_S.COMMITTED, _I.NONCE): (_S.AGREED, "_reveal"),
    (_S.AGREED, _I.NONCE): (_S.AGREED, "_reveal_again"),
    (_S.DELIVERED, _I.NONCE): (_S.DELIVERED, "_reveal_again"),
    (_S.CONFIRMED, _I.NONCE): (_S.CONFIRMED, "_reveal_again"),
    (_S.COMPLETE, _I.NONCE): (_S.COMPLETE, "_reveal_again"),
    (_S.LISTENING, _I.COMMIT): (_S.ANSWERED, "_answer"),
    (_S.ANSWERED, _I.COMMIT): (_S.ANSWERED, "_answer_again"),
    (_S.ANSWERED, _I.REVEAL): (_S.AGREED, "_open"),
    (_S.ANSWERED, _I.SIGNATURE): (_S.ANSWERED, "_ignore"),  # overtook a REVEAL; it comes again
    (_S.AGREED, _I.COMMIT): (_S.AGREED, "_same_commit"),
    (_S.DELIVERED, _I.COMMIT): (_S.DELIVERED, "_same_commit"),
    (_S.CONFIRMED, _I.COMMIT): (_S.CONFIRMED, "_same_commit"),
    (_S.COMPLETE, _I.COMMIT): (_S.COMPLETE, "_same_commit"),
    (_S.AGREED, _I.REVEAL): (_S.AGREED, "_same_reveal"),
    (_S.DELIVERED, _I.REVEAL): (_S.DELIVERED, "_same_reveal"),
    (_S.CONFIRMED, _I.REVEAL): (_S.CONFIRMED, "_same_reveal"),
    (_S.COMPLETE, _I.REVEAL): (_S.COMPLETE, "_same_reveal"),
    (_S.AGREED, _I.SIGNED): (_S.AGREED, "_send_signature"),
    (_S.CONFIRMED, _I.SIGNED): (_S.CONFIRMED, "_send_signature"),
    (_S.AGREED, _I.SIGNATURE): (_S.AGREED, "_check"),
    (_S.DELIVERED, _I.SIGNATURE): (_S.DELIVERED, "_check"),
    (_S.CONFIRMED, _I.SIGNATURE): (_S.CONFIRMED, "_acknowledge_again"),
    (_S.COMPLETE, _I.SIGNATURE): (_S.COMPLETE, "_acknowledge_again"),
    (_S.AGREED, _I.DONE): (_S.DELIVERED, "_delivered"),
    (_S.DELIVERED, _I.DONE): (_S.DELIVERED, "_ignore"),
    (_S.CONFIRMED, _I.DONE): (_S.COMPLETE, "_delivered"),
    (_S.COMPLETE, _I.DONE): (_S.COMPLETE, "_ignore"),
    (_S.AGREED, _I.VERIFIED): (_S.CONFIRMED, "_confirm"),
    (_S.DELIVERED, _I.VERIFIED): (_S.COMPLETE, "_confirm"),
}
_OWN_INPUTS = frozenset({_I.START, _I.SIGNED, _I.VERIFIED})
_ENDED = "somebody may stand between you, so the call was ended"
_OUT_OF_ORDER = f"The other node broke the rules of the confirmation: {_ENDED}"
_FORGED = f"The two nodes do not see the same encrypted connection: {_ENDED}"
_PEER: dict[Role, Role] = {"caller": "callee", "callee": "caller"}


class Confirmation:
    """One side of one confirmation. `nonce` is 32 fresh random bytes."""

    def __init__(self, role: Role, transcript: Transcript, nonce: bytes) -> None:
        if len(nonce) != NONCE_BYTES:
            raise ValueError("a nonce has 32 bytes")
        self.state = State.IDLE if role == "caller" else State.LISTENING
        self.agreement: Agreement | None = None
        self._role: Role = role
        self._transcript = transcript
        self._nonce = nonce
        self._commitment = transcript.commitment(nonce) if role == "caller" else b""
        self._peer_nonce = b""
        self._own_signature: bytes | None = None
        self._peer_signature: bytes | None = None

    def start(self) -> list[Action]:
        """Begin, as the caller."""
        return self._step(Input.START)

    def receive(self, data: bytes) -> list[Action]:
        """Take one message from the peer."""
        if self.state is State.FAILED:
            return []
        try:
            message = Message.parse(data)
        except ValueError:
            return self._fail(_OUT_OF_ORDER)
        return self._step(Input[message.kind.name], message.body)

    def signed(self, signature: bytes) -> list[Action]:
        """Take the signature that `Sign` asked for; empty when there is none to give."""
        return self._step(Input.SIGNED, signature)

    def verified(self) -> list[Action]:
        """The signature of `Verify` is valid and by the expected key."""
        return self._step(Input.VERIFIED)

    def rejected(self, reason: str) -> list[Action]:
        """The signature of `Verify` is not good."""
        return self._fail(reason)

    def unacknowledged(self) -> list[bytes]:
        """Return the messages to send again, since nothing has shown yet that they arrived."""
        if self.state is State.COMMITTED:
            return [self._message(Kind.COMMIT, self._commitment)]
        if self.state is State.ANSWERED:
            return [self._message(Kind.NONCE, self._nonce)]
        again = []
        waits = self.state in (State.AGREED, State.DELIVERED) and self._peer_signature is None
        if waits and self._role == "caller":
            again.append(self._message(Kind.REVEAL, self._nonce))
        if self.state in (State.AGREED, State.CONFIRMED) and self._own_signature is not None:
            again.append(self._message(Kind.SIGNATURE, self._own_signature))
        return again

    def _step(self, event: Input, body: bytes = b"") -> list[Action]:
        if self.state is State.FAILED:
            return []
        step = _STEPS.get((self.state, event))
        if step is None:
            if event in _OWN_INPUTS:
                raise ValueError(f"{event.name} in state {self.state.name}")
            return self._fail(_OUT_OF_ORDER)
        self.state, method = step
        actions: list[Action] = getattr(self, method)(body)
        return actions

    def _fail(self, reason: str) -> list[Action]:
        if self.state is State.FAILED:
            return []
        self.state = State.FAILED
        return [Failed(reason)]

    @staticmethod
    def _message(kind: Kind, body: bytes = b"") -> bytes:
        return bytes(Message(kind, body))

    def _send(self, kind: Kind, body: bytes = b"") -> list[Action]:
        return [Send(self._message(kind, body))]

    def _ignore(self, _body: bytes) -> list[Action]:
        return []

    def _commit(self, _body: bytes) -> list[Action]:
        return self._send(Kind.COMMIT, self._commitment)

    def _answer(self, body: bytes) -> list[Action]:
        self._commitment = body
        return self._send(Kind.NONCE, self._nonce)

    def _answer_again(self, body: bytes) -> list[Action]:
        return self._same_commit(body) or self._send(Kind.NONCE, self._nonce)

    def _same_commit(self, body: bytes) -> list[Action]:
        same = self._role == "callee" and body == self._commitment
        return [] if same else self._fail(_OUT_OF_ORDER)

    def _reveal(self, body: bytes) -> list[Action]:
        self._peer_nonce = body
        return [*self._send(Kind.REVEAL, self._nonce), *self._agree(self._nonce, body)]

    def _reveal_again(self, body: bytes) -> list[Action]:
        if self._role != "caller" or body != self._peer_nonce:
            return self._fail(_OUT_OF_ORDER)
        return self._send(Kind.REVEAL, self._nonce) if self._peer_signature is None else []

    def _open(self, body: bytes) -> list[Action]:
        if not hmac.compare_digest(self._transcript.commitment(body), self._commitment):
            return self._fail(_FORGED)
        self._peer_nonce = body
        return self._agree(body, self._nonce)

    def _same_reveal(self, body: bytes) -> list[Action]:
        same = self._role == "callee" and body == self._peer_nonce
        return [] if same else self._fail(_OUT_OF_ORDER)

    def _agree(self, caller_nonce: bytes, callee_nonce: bytes) -> list[Action]:
        self.agreement = self._transcript.agreement(caller_nonce, callee_nonce)
        return [Agreed(self.agreement), Sign(statement(self._role, self.agreement.session_hash))]

    def _send_signature(self, signature: bytes) -> list[Action]:
        self._own_signature = signature
        return self._send(Kind.SIGNATURE, signature)

    def _check(self, signature: bytes) -> list[Action]:
        if self._peer_signature is not None:
            return [] if signature == self._peer_signature else self._fail(_OUT_OF_ORDER)
        self._peer_signature = signature
        if not signature:
            self.state = State.COMPLETE if self.state is State.DELIVERED else State.CONFIRMED
            return [*self._send(Kind.DONE), Confirmed(signed=False)]
        assert self.agreement is not None
        return [Verify(statement(_PEER[self._role], self.agreement.session_hash), signature)]

    def _acknowledge_again(self, signature: bytes) -> list[Action]:
        same = signature == self._peer_signature
        return self._send(Kind.DONE) if same else self._fail(_OUT_OF_ORDER)

    def _delivered(self, _body: bytes) -> list[Action]:
        return [] if self._own_signature is not None else self._fail(_OUT_OF_ORDER)

    def _confirm(self, _body: bytes) -> list[Action]:
        return [*self._send(Kind.DONE), Confirmed(signed=True)]
