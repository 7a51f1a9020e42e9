"""Introductions made and kept: who of those we know has told us whose key is whose."""

import base64
import binascii
import json

from .errors import BadKey, BadSignature, IntroductionRefused
from .keyring import Keyring, Verifier
from .pins import Pin, Pins
from .ports import Store
from .protocol.introduction import Introduction, SignedIntroduction

__all__ = ["Introduction", "IntroductionRefused", "Introductions", "SignedIntroduction", "introduce"]

MAX_KEPT = 1000
VERSION = 1


async def introduce(
    keyring: Keyring, own_uri: str, subject: Pin, reader: Pin, now: float
) -> SignedIntroduction:
    """Return our word to ``reader`` that ``subject`` is who the pin says.

    Raises:
        KeyringError: the own key cannot sign now.
        IntroductionRefused: somebody is introduced to themselves.
    """
    if subject.fingerprint in (reader.fingerprint, keyring.fingerprint):
        raise IntroductionRefused("nobody can be introduced to themselves, nor introduce themselves")
    said = Introduction(
        uri=subject.uri,
        fingerprint=subject.fingerprint,
        introducer=own_uri,
        introducer_fingerprint=keyring.fingerprint,
        reader=reader.uri,
        reader_fingerprint=reader.fingerprint,
        made=int(now),
        verified=subject.verified,
    )
    return SignedIntroduction(said, await keyring.sign(said.statement()))


class Introductions:
    """Those that were taken. They count as long as their introducer is known by the same key, and for a year."""

    def __init__(self, store: Store, pins: Pins, *, limit: int = MAX_KEPT) -> None:
        """Load them.

        Raises:
            IntroductionRefused: what the store holds cannot be read.
        """
        self._store = store
        self._pins = pins
        self._limit = limit
        raw = store.load()
        self._kept = [] if raw is None else _parse(raw)

    async def take(
        self, verifier: Verifier, signed: SignedIntroduction, own_fingerprint: str, now: float
    ) -> None:
        """Keep an introduction that was made to us by somebody we know.

        Raises:
            IntroductionRefused: it was not; the message says why.
        """
        said = signed.introduction
        by, who = said.introducer[4:], said.uri[4:]
        if said.reader_fingerprint != own_fingerprint:
            raise IntroductionRefused(f"it was made for {said.reader[4:]}, whose key is not yours")
        if said.fingerprint in (own_fingerprint, said.introducer_fingerprint):
            raise IntroductionRefused("nobody can be introduced to themselves, nor introduce themselves")
        if not said.is_current(now):
            raise IntroductionRefused(f"its time is over, or a clock is wrong: ask {by} for a new one")
        pin = self._introducer(said)
        if pin is None:
            raise IntroductionRefused(
                f"you do not know {by} by the key that introduces {who}: call {by} first"
            )
        try:
            signer = await verifier.verify(said.statement(), signed.signature, pin.key)
        except (BadKey, BadSignature) as error:
            raise IntroductionRefused(f"{by} has not signed it: {str(error).rstrip('.')}") from error
        if signer != pin.fingerprint:
            raise IntroductionRefused(f"{by} has not signed it")
        self._keep(signed, now)

    def of(self, uri: str, fingerprint: str, now: float) -> list[Introduction]:
        """Return those that count for ``fingerprint`` under the canonical ``uri``, the latest of each introducer."""
        return [said for said in self.all(now) if said.is_of(uri, fingerprint)]

    def all(self, now: float) -> list[Introduction]:
        """Return all that count now."""
        kept = [signed.introduction for signed in self._kept]
        return [said for said in kept if said.is_current(now) and self._introducer(said) is not None]

    def _introducer(self, said: Introduction) -> Pin | None:
        pin = self._pins.get(said.introducer)
        return pin if pin is not None and pin.fingerprint == said.introducer_fingerprint else None

    def _keep(self, signed: SignedIntroduction, now: float) -> None:
        """Put it in the place of what the same person said before; what nobody can use any more makes room."""
        said = signed.introduction
        rest = [
            other
            for other in self._kept
            if other.introduction.is_current(now)
            and (other.introduction.uri, other.introduction.introducer) != (said.uri, said.introducer)
        ]
        if len(rest) >= self._limit:
            raise IntroductionRefused(f"{self._limit} are kept, which is the limit")
        rows = [base64.b64encode(bytes(each)).decode() for each in (*rest, signed)]
        self._store.save(json.dumps({"version": VERSION, "introductions": rows}, indent=1).encode() + b"\n")
        self._kept = [*rest, signed]


def _parse(raw: bytes) -> list[SignedIntroduction]:
    try:
        content = json.loads(raw)
        rows: dict[int, list[str]] = {content["version"]: content["introductions"]}
        return [SignedIntroduction.parse(base64.b64decode(row, validate=True)) for row in rows[VERSION]]
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error, IntroductionRefused) as error:
        raise IntroductionRefused(
            f"the file of introductions is damaged ({error}). Restore it from a copy, or remove it"
        ) from error
