"""Write tests/vectors/confirmation/*.json: what a second implementation of the confirmation must compute and do.

Everything is derived from fixed values, so running it again changes nothing unless the protocol has changed. Only the
OpenPGP signatures (`signatures.json`) hold the time when they were made: `--sign` makes new ones, with new keys.
"""

import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from media.protocol.confirmation import (  # noqa: E402 - the path comes first
    Action,
    Agreed,
    Confirmation,
    Confirmed,
    Failed,
    Send,
    Sign,
    State,
    Verify,
)
from media.protocol.confirmation_messages import MAX_SIGNATURE_BYTES, Kind, Message  # noqa: E402
from media.protocol.continuity import Continuity  # noqa: E402
from media.protocol.pgp_words import words  # noqa: E402
from media.protocol.transcript import Context, Role, Transcript, statement  # noqa: E402

FOLDER = ROOT / "tests" / "vectors" / "confirmation"
CONTEXT = Context(
    b"call-1@test", b"A" * 40, b"B" * 40, b"a" * 20, b"b" * 20, b"\1" * 32, b"\2" * 32,
    b"caller", b"SRTP_AEAD_AES_256_GCM", b"DTLSv1.2", b"ECDHE-ECDSA-AES256-GCM-SHA384",
)  # fmt: skip
EXPORTED = bytes(range(64))
CALLER_NONCE, CALLEE_NONCE = b"\xaa" * 32, b"\xbb" * 32
TRANSCRIPT = Transcript.of(CONTEXT.digest(), EXPORTED)
OWN, PEERS = b"own signature", b"signature of the peer"

NEXT_HASH = b"\xcc" * 32
ROLES: tuple[Role, Role] = ("caller", "callee")
PEER_OF: dict[Role, Role] = {"caller": "callee", "callee": "caller"}

Step = tuple[str, bytes]


def contexts() -> Iterator[tuple[str, Context, bytes]]:
    """Yield calls that differ in one thing each."""
    yield "the call of docs/protocol/media.md", CONTEXT, EXPORTED
    yield "other exported bytes", CONTEXT, bytes(reversed(EXPORTED))
    for name in asdict(CONTEXT):
        value: bytes = getattr(CONTEXT, name)
        yield f"another {name}", replace(CONTEXT, **{name: value[:-1] + bytes([value[-1] ^ 1])}), EXPORTED
    yield "a long Call-ID", replace(CONTEXT, call_id=b"x" * 300), EXPORTED
    yield "a Call-ID of UTF-8", replace(CONTEXT, call_id="zoë@mesh".encode()), EXPORTED


def transcripts() -> Iterator[dict[str, Any]]:
    """From a call to what is compared and signed."""
    for what, context, exported in contexts():
        transcript = Transcript.of(context.digest(), exported)
        agreement = transcript.agreement(CALLER_NONCE, CALLEE_NONCE)
        yield {
            "what": what,
            "context": asdict(context),
            "exported": exported,
            "caller_nonce": CALLER_NONCE,
            "callee_nonce": CALLEE_NONCE,
            "ctx": context.digest(),
            "T": transcript.digest,
            "K": bytes(transcript.key),
            "r": transcript.retained(agreement.session_hash),
            "commit": transcript.commitment(CALLER_NONCE),
            "sas": agreement.short_string,
            "words": words(agreement.short_string),
            "H": agreement.session_hash,
            "statement_of_caller": statement("caller", agreement.session_hash),
            "statement_of_callee": statement("callee", agreement.session_hash),
        }


def continuity() -> Iterator[dict[str, Any]]:
    """What is kept of the first call, and how the next ones show it: by one secret, two, or none."""
    first = TRANSCRIPT.agreement(CALLER_NONCE, CALLEE_NONCE).session_hash
    kept = TRANSCRIPT.retained(first)
    filler = b"\xee" * 32
    for what, secrets, seen in (
        ("the secret of the last call", (kept,), False),
        ("and the one before, and the peer's message is in", (kept, b"\x01" * 32), True),
        ("no secret: the filler", (), False),
    ):
        for role in ROLES:
            side, peer = Continuity(role, secrets, filler), Continuity(PEER_OF[role], (kept,), filler)
            if seen:
                side.receive(peer.agreed(NEXT_HASH))
            record = side.agreed(NEXT_HASH)
            yield {
                "what": what,
                "role": role,
                "H": NEXT_HASH,
                "secrets": list(secrets),
                "filler": filler,
                "record": record,
            }


def messages() -> Iterator[dict[str, Any]]:
    """Each message, as one record."""
    for kind, body in (
        (Kind.COMMIT, TRANSCRIPT.commitment(CALLER_NONCE)),
        (Kind.NONCE, CALLEE_NONCE),
        (Kind.REVEAL, CALLER_NONCE),
        (Kind.SIGNATURE, b""),
        (Kind.SIGNATURE, PEERS),
        (Kind.SIGNATURE, bytes(MAX_SIGNATURE_BYTES)),
        (Kind.DONE, b""),
    ):
        yield {"kind": kind.name, "body": body, "record": bytes(Message(kind, body))}


def refused() -> Iterator[dict[str, Any]]:
    """Records that end the confirmation in any state, and why."""
    for why, record in (
        ("nothing", b""),
        ("three bytes", b"\1\5\0"),
        ("version 0", b"\0\5\0\0"),
        ("version 2", b"\2\5\0\0"),
        ("type 0", b"\1\0\0\0"),
        ("type 6", b"\1\6\0\0"),
        ("a COMMIT of 31 bytes", b"\1\1\0\x1f" + bytes(31)),
        ("a COMMIT of 33 bytes", b"\1\1\0\x21" + bytes(33)),
        ("a NONCE of 31 bytes", b"\1\2\0\x1f" + bytes(31)),
        ("a REVEAL of 33 bytes", b"\1\3\0\x21" + bytes(33)),
        ("a SIGNATURE of 1,201 bytes", b"\1\4\x04\xb1" + bytes(1_201)),
        ("a DONE with a body", b"\1\5\0\1\0"),
        ("a length that is too small", b"\1\2\0\x1f" + bytes(32)),
        ("a length that is too large", b"\1\2\0\x21" + bytes(32)),
        ("two messages in one record", b"\1\5\0\0\1\5\0\0"),
    ):
        yield {"why": why, "record": record}


def perform(machine: Confirmation, step: Step) -> list[Action]:
    """Give one input to a machine."""
    name, body = step
    own: dict[str, Callable[[], list[Action]]] = {
        "START": machine.start,
        "SIGNED": lambda: machine.signed(body),
        "VERIFIED": machine.verified,
        "REJECTED": lambda: machine.rejected("the signature is not good"),
    }
    return own[name]() if name in own else machine.receive(bytes(Message(Kind[name], body)))


def shown(action: Action) -> dict[str, Any]:
    """Return an action as JSON may have it."""
    match action:
        case Send(record):
            return {"send": record}
        case Sign(text):
            return {"sign": text}
        case Verify(text, signature):
            return {"verify": signature, "over": text}
        case Agreed(agreement):
            return {"show": words(agreement.short_string)}
        case Confirmed(signed):
            return {"confirmed": signed}
        case Failed():
            return {"failed": True}


COMMIT: Step = ("COMMIT", TRANSCRIPT.commitment(CALLER_NONCE))
NONCE: Step = ("NONCE", CALLEE_NONCE)
REVEAL: Step = ("REVEAL", CALLER_NONCE)
THEIRS: Step = ("SIGNATURE", PEERS)
EMPTY: Step = ("SIGNATURE", b"")
SIGNED: Step = ("SIGNED", OWN)
DONE: Step = ("DONE", b"")
VERIFIED: Step = ("VERIFIED", b"")
REJECTED: Step = ("REJECTED", b"")

BEGUN: dict[Role, tuple[Step, ...]] = {"caller": (("START", b""), NONCE), "callee": (COMMIT, REVEAL)}
WAYS: dict[Role, dict[State, tuple[Step, ...]]] = {
    role: {
        State.AGREED: (*begun, SIGNED),
        State.DELIVERED: (*begun, SIGNED, DONE),
        State.CONFIRMED: (*begun, SIGNED, THEIRS, VERIFIED),
        State.COMPLETE: (*begun, SIGNED, DONE, THEIRS, VERIFIED),
    }
    for role, begun in BEGUN.items()
}
WAYS["caller"] |= {State.IDLE: (), State.COMMITTED: BEGUN["caller"][:1]}
WAYS["callee"] |= {State.LISTENING: (), State.ANSWERED: BEGUN["callee"][:1]}
HEARD: tuple[Step, ...] = (
    COMMIT, ("COMMIT", bytes(32)), NONCE, ("NONCE", bytes(32)), REVEAL, ("REVEAL", bytes(32)),
    THEIRS, EMPTY, ("SIGNATURE", b"another one"), DONE,
)  # fmt: skip
ENDINGS: dict[Role, tuple[tuple[Step, ...], ...]] = {
    role: (
        (*begun, THEIRS, VERIFIED, SIGNED, DONE),
        (*begun, SIGNED, THEIRS, REJECTED),
        (*begun, ("SIGNED", b""), EMPTY, DONE),
        (*begun, DONE),
    )
    for role, begun in BEGUN.items()
}


def walks() -> Iterator[dict[str, Any]]:
    """Each state, by the shortest way, and each message in it: a good one, and one with another body."""
    for role, ways in WAYS.items():
        for (_, way), last in itertools.product(ways.items(), HEARD):
            yield walk(role, (*way, last))
        for whole in ENDINGS[role]:
            yield walk(role, whole)


def walk(role: Role, steps: tuple[Step, ...]) -> dict[str, Any]:
    """Run one machine, and note what it does."""
    machine = Confirmation(role, TRANSCRIPT, CALLER_NONCE if role == "caller" else CALLEE_NONCE)
    noted = []
    for step in steps:
        actions = perform(machine, step)
        noted.append(
            {
                "input": step[0],
                "body": step[1],
                "state": machine.state.name,
                "actions": [shown(action) for action in actions],
                "repeat": machine.unacknowledged(),
            }
        )
    return {"role": role, "steps": noted}


def plain(value: Any) -> Any:
    """Return a value as JSON has it: bytes in hexadecimal."""
    match value:
        case bytes():
            return value.hex()
        case dict():
            return {name: plain(item) for name, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return value


def gpg(home: str, *arguments: str, data: bytes = b"") -> bytes:
    """Run gpg on a day long ago, so that neither a slow clock nor the years make the vectors bad."""
    command = ["gpg", "--homedir", home, "--batch", "--quiet", "--faked-system-time", "20240101T000000!"]
    done = subprocess.run(
        [*command, "--passphrase", "", *arguments], input=data, capture_output=True, check=True
    )
    return done.stdout


def signatures() -> list[dict[str, Any]]:
    """OpenPGP signatures over the statement of the caller, good and bad, with the key that must have made them."""
    session = TRANSCRIPT.agreement(CALLER_NONCE, CALLEE_NONCE).session_hash
    caller = statement("caller", session)
    with tempfile.TemporaryDirectory() as home:
        for name in ("alice", "other"):
            gpg(home, "--quick-generate-key", f"{name} <sip:{name}@mesh>", "ed25519", "sign", "never")

        def signed(text: bytes, name: str = "alice") -> bytes:
            return gpg(home, "--local-user", name, "--detach-sign", data=text)

        good = signed(caller)
        made = {
            "good": good,
            "by another key": signed(caller, "other"),
            "in the other role": signed(statement("callee", session)),
            "over another session": signed(statement("caller", bytes(32))),
            "cut short": good[:-1],
            "changed in its last byte": good[:-1] + bytes([good[-1] ^ 1]),
            "empty": b"",
        }
        key = gpg(home, "--export", "alice")
        listed = gpg(home, "--with-colons", "--list-keys", "alice").decode()
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=True)
    fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))
    of = {"fingerprint": fingerprint, "key": key, "statement": caller}
    return [{"what": what, **of, "signature": signature} for what, signature in made.items()]


FILES = (transcripts, continuity, messages, refused, walks)


def write(name: str, vectors: Iterable[dict[str, Any]]) -> None:
    """Write one file, a vector on each line."""
    made = ",\n".join(json.dumps(plain(vector), ensure_ascii=False) for vector in vectors)
    (FOLDER / f"{name}.json").write_text(f"[\n{made}\n]\n", encoding="utf-8")


def main() -> None:
    """Write all files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for vectors in FILES:
        write(vectors.__name__, vectors())
    if "--sign" in sys.argv[1:]:
        write("signatures", signatures())


if __name__ == "__main__":
    main()
