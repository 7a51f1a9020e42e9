"""The text of a receipt: that two people had a call, and nothing of what was said. Format: docs/protocol/trust.md."""

import datetime
import re
from dataclasses import dataclass

from .errors import BadUri, ReceiptRefused
from .uris import MeshUri, fingerprint_bytes

TITLE = "Free Call receipt, version 1"
SAID = "Its signer took part in this call. Nothing is kept of what was spoken."
MAX_BYTES = 1024
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_SESSION = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LAST_MOMENT = 253_402_300_799


@dataclass(frozen=True)
class Receipt:
    """What ``signer`` (``caller`` or ``callee``, canonical URIs) says of one call.

    Fingerprints are 40 upper-case hexadecimal digits, ``session`` is the session hash of the confirmation, in 64
    lower-case ones. ``answered`` and ``ended`` are Unix seconds by the signer's clock.
    """

    caller: str
    caller_fingerprint: str
    callee: str
    callee_fingerprint: str
    session: str
    answered: int
    ended: int
    signer: str

    def __post_init__(self) -> None:
        try:
            for uri in (self.caller, self.callee):
                MeshUri.parse(uri)
            for fingerprint in (self.caller_fingerprint, self.callee_fingerprint):
                fingerprint_bytes(fingerprint)
        except (BadUri, ValueError) as error:
            raise ReceiptRefused("an address or a fingerprint in it is malformed") from error
        if self.signer not in (self.caller, self.callee) or not _SESSION.fullmatch(self.session):
            raise ReceiptRefused("its session or its signer is malformed")
        if not 0 <= self.answered <= self.ended <= _LAST_MOMENT:
            raise ReceiptRefused("its times make no sense")

    @property
    def call(self) -> tuple[str, ...]:
        """What both sides must say alike: who, by which keys, in which session."""
        return (self.caller, self.caller_fingerprint, self.callee, self.callee_fingerprint, self.session)

    def __bytes__(self) -> bytes:
        lines = [
            TITLE,
            SAID,
            f"Caller: {self.caller}",
            f"Caller's key: {self.caller_fingerprint}",
            f"Callee: {self.callee}",
            f"Callee's key: {self.callee_fingerprint}",
            f"Session: {self.session}",
            f"Answered: {_written(self.answered)}",
            f"Ended: {_written(self.ended)}",
            f"Signer: {self.signer}",
            "",
        ]
        return "\n".join(lines).encode()

    @classmethod
    def parse(cls, data: bytes) -> "Receipt":
        """Read what `bytes()` writes, and nothing else.

        Raises:
            ReceiptRefused: it is another text.
        """
        try:
            lines = data.decode("ascii").split("\n") if len(data) <= MAX_BYTES else []
            values = [line.split(": ", 1)[1] for line in lines[2:10]]
            caller, caller_key, callee, callee_key, session, answered, ended, signer = values
            times = (_read(answered), _read(ended))
        except (UnicodeDecodeError, ValueError, IndexError) as error:
            raise ReceiptRefused("it is malformed") from error
        receipt = cls(caller, caller_key, callee, callee_key, session, *times, signer)
        if bytes(receipt) != data:
            raise ReceiptRefused("it is not written in its one form")
        return receipt


def _written(moment: int) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).strftime(_TIME)


def _read(text: str) -> int:
    return int(datetime.datetime.strptime(text, _TIME).replace(tzinfo=datetime.UTC).timestamp())
