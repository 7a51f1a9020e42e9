"""Receipts of calls, for people who both want them: off unless `[calls] receipts` is on at both ends.

When a signed call is over, the caller's node asks the callee's, in a sealed letter that names no more than a hash.
Only a node that wants receipts itself answers with its signed one, and gets the caller's for it.
"""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sipgate.ports import Peer, Refusal
from trust.errors import KeyringError, ReceiptRefused
from trust.keyring import Keyring
from trust.pins import Pins
from trust.protocol.armour import armoured
from trust.receipt import Receipt, check_receipt, sign_receipt

from .events import Event, EventLog
from .mesh_uri import short_uri
from .store import FileStore
from .supervise import Supervisor

logger = logging.getLogger(__name__)

ASK = "application/vnd.freecall.receipt-wish"
GIVE = "application/vnd.freecall.call-receipt"
FOLDER = "receipts"
MAX_PENDING = 200
MAX_KEPT = 10_000
TRIES_PER_CALL = 4

Post = Callable[[str, str, bytes, str, bytes], Awaitable[None]]
"""Sends a letter that no person wrote: URI, fingerprint, key, type and body; raises `Refusal` without room."""


@dataclass
class _Call:
    """A call of which a receipt may be due; ``session`` is empty until it is signed by both."""

    is_caller: bool
    peer: str
    fingerprint: str = ""
    session: str = ""
    answered: int = 0
    ended: int = 0
    was_asked: bool = False
    given: bool = False
    kept: bool = False
    tries: int = 0


class Receipts:
    """One user's receipts. `observe` takes the node's events, `hear` the letters about receipts."""

    def __init__(
        self,
        own: tuple[str, Keyring],
        folder: Path,
        pins: Pins,
        log: EventLog,
        supervisor: Supervisor,
        *,
        wanted: bool,
    ) -> None:
        self._uri, self._keyring = own
        self._folder = folder
        self._pins = pins
        self._log = log
        self._supervisor = supervisor
        self._wanted = wanted
        self._calls: OrderedDict[str, _Call] = OrderedDict()
        self.post: Post | None = None

    def observe(self, event: Event) -> None:
        """Follow the calls, if receipts are wanted."""
        if not self._wanted:
            return
        if event.name == "call_started" and event["trust"] != "self" and not event["anonymous"]:
            self._calls[event["call"]] = _Call(event["direction"] == "out", event["peer"])
            while len(self._calls) > MAX_PENDING:
                self._calls.popitem(last=False)
        call = self._calls.get(event.fields.get("call", ""))
        if call is None:
            return
        match event.name:
            case "call_answered":
                call.answered = int(event.at)
            case "call_secured" if event["signed"]:
                call.fingerprint, call.session = event["fingerprint"], event["session"]
            case "call_ended" | "call_refused":
                self._over(event["call"], call, int(event.at))

    def _over(self, id_: str, call: _Call, now: int) -> None:
        if not call.answered or not call.session:
            del self._calls[id_]
            return
        call.ended = max(now, call.answered)
        if call.is_caller:
            self._send(call, ASK, _handle(call.session))
        elif call.was_asked:
            self._give(call)

    async def hear(self, sender: Peer, key: bytes, content_type: str, body: bytes) -> None:
        """Take a letter about a receipt: a wish, or a receipt. What nobody here waits for is dropped."""
        waiting = [
            (id_, call)
            for id_, call in self._calls.items()
            if call.fingerprint == sender.fingerprint and call.session
        ]
        for id_, call in waiting:
            if content_type == ASK and not call.is_caller and body == _handle(call.session):
                call.was_asked = True
                if call.ended:
                    self._give(call)
            elif content_type == GIVE and call.ended and not call.kept and call.tries < TRIES_PER_CALL:
                await self._take(id_, call, key, body)

    async def _take(self, id_: str, call: _Call, key: bytes, body: bytes) -> None:
        mine = self._receipt(call)
        theirs = replace(mine, signer=mine.callee if call.is_caller else mine.caller)
        if _session_in(body) != call.session:
            return  # of another call with the same person
        call.tries += 1
        try:
            text, signature = await check_receipt(self._keyring, body, mine, key, call.fingerprint)
        except ReceiptRefused as error:
            logger.warning("A receipt was not kept: %s", error)
            return
        call.kept = True
        try:
            file = _keep(self._folder, theirs, text, signature, key)
        except OSError as error:
            self._log.emit("warning", text=f"A receipt could not be kept ({error.strerror}).")
            return
        self._log.emit("receipt_kept", call=id_, peer=call.peer, file=str(file))
        if call.is_caller:
            self._give(call)

    def _give(self, call: _Call) -> None:
        """Give our receipt, once."""
        if not call.given:
            call.given = True
            self._supervisor.start(self._sign_and_send(call), name="a receipt")

    async def _sign_and_send(self, call: _Call) -> None:
        try:
            signed = await sign_receipt(self._keyring, self._receipt(call))
        except KeyringError as error:
            self._log.emit("warning", text=f"No receipt was given. {error}")
            return
        self._send(call, GIVE, signed)

    def _send(self, call: _Call, content_type: str, body: bytes) -> None:
        self._supervisor.start(self._posted(call, content_type, body), name="a letter about a receipt")

    async def _posted(self, call: _Call, content_type: str, body: bytes) -> None:
        pin = self._pins.get(call.peer)
        if self.post is None or pin is None or pin.fingerprint != call.fingerprint:
            return
        try:
            await self.post(call.peer, call.fingerprint, pin.key, content_type, body)
        except Refusal as refusal:
            logger.info("no receipt: %d", refusal.status)

    def _receipt(self, call: _Call) -> Receipt:
        """Return what we say of a call."""
        own, other = (self._uri, self._keyring.fingerprint), (short_uri(call.peer), call.fingerprint)
        caller, callee = (own, other) if call.is_caller else (other, own)
        return Receipt(*caller, *callee, call.session, call.answered, call.ended, self._uri)


def _handle(session: str) -> bytes:
    """Return what a wish says: only the two of the call know which call that is."""
    return hashlib.sha256(b"freecall-receipt-wish-1" + bytes.fromhex(session)).hexdigest().encode()


def _session_in(body: bytes) -> str:
    found = body.partition(b"\nSession: ")[2][:64]
    return found.decode("ascii", "replace")


def _keep(folder: Path, theirs: Receipt, text: bytes, signature: bytes, key: bytes) -> Path:
    """Write receipt, signature and key beside each other; return the receipt's file."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if sum(1 for _ in folder.glob("*.txt")) >= MAX_KEPT:
        raise OSError(0, f"{MAX_KEPT} are in {folder}, which is the limit")
    day = datetime.fromtimestamp(theirs.answered, UTC).strftime("%Y%m%dT%H%M%SZ")
    name = f"{day}-{theirs.session[:16]}"
    for ending, content in (
        ("key.asc", armoured(key, "PUBLIC KEY BLOCK").encode()),
        ("txt.asc", armoured(signature, "SIGNATURE").encode()),
        ("txt", text),
    ):
        FileStore(folder / f"{name}.{ending}").save(content)
    return folder / f"{name}.txt"
