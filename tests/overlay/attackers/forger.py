"""A forger: makes records that must not be believed, out of true ones and of keys of their own.

Forged, replayed, rolled back, moved to another name, signed with another key or for another key (BEP 44, "security
considerations"; S/Kademlia, section 3, "adversarial routing and storage").
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import msgpack

from overlay.identity import NodeKey
from overlay.protocol.nodeid import NodeId
from overlay.protocol.record import DOMAIN, Kind, Record, sign_record


@dataclass(frozen=True)
class Forgery:
    """Something to be stored under ``target``; ``how`` it was made."""

    how: str
    target: NodeId
    kind: Kind
    raw: bytes


class Forger:
    """Has seen ``true`` records of ``victim`` under ``target``, the last of which is the newest."""

    def __init__(self, victim: NodeKey, target: NodeId, true: list[Record], dice: random.Random) -> None:
        self._victim = victim
        self._target = target
        self._true = true
        self._dice = dice
        self._own = NodeKey.from_seed(dice.randbytes(32))

    def forgeries(self, count: int) -> Iterator[Forgery]:
        """Make so many, of all sorts in turn."""
        sorts = (
            self._bit_flipped,
            self._rolled_back,
            self._wrong_key,
            self._cross_key,
            self._moved,
            self._other_domain,
        )
        for number in range(count):
            yield sorts[number % len(sorts)]()

    def _newest(self) -> Record:
        return self._true[-1]

    def _bit_flipped(self) -> Forgery:
        raw = bytearray(self._newest().raw)
        raw[self._dice.randrange(len(raw))] ^= 1 << self._dice.randrange(8)
        return Forgery("one bit of the newest is flipped", self._target, self._newest().kind, bytes(raw))

    def _rolled_back(self) -> Forgery:
        old = self._dice.choice(self._true[:-1])
        return Forgery("an older one, truly signed", self._target, old.kind, old.raw)

    def _body(self, public_key: bytes, seq: int) -> bytes:
        newest = self._newest()
        body: bytes = msgpack.packb([1, int(newest.kind), public_key, seq, 60, self._dice.randbytes(50)])
        return body

    def _wrong_key(self) -> Forgery:
        """The victim's key in the record, the forger's signature below it."""
        body = self._body(self._victim.public_key, self._newest().seq + 1)
        return Forgery(
            "signed by another",
            self._target,
            self._newest().kind,
            body + self._own.sign(DOMAIN + self._target + body),
        )

    def _cross_key(self) -> Forgery:
        """A true signature of the forger over the forger's body, with the victim's key put in afterwards."""
        body = self._body(self._own.public_key, self._newest().seq + 1)
        signature = self._own.sign(DOMAIN + self._target + body)
        swapped = body.replace(self._own.public_key, self._victim.public_key)
        return Forgery("another key put in", self._target, self._newest().kind, swapped + signature)

    def _moved(self) -> Forgery:
        """A true record of the victim under another target than it was signed for."""
        elsewhere = NodeId(self._dice.randbytes(20))
        return Forgery("moved to another target", elsewhere, self._newest().kind, self._newest().raw)

    def _other_domain(self) -> Forgery:
        """A signature that the victim's node gave for something else."""
        body = self._body(self._victim.public_key, self._newest().seq + 1)
        signature = self._victim.sign(b"freecall/pong/1" + self._target + body)
        return Forgery("a signature for another purpose", self._target, self._newest().kind, body + signature)


def true_records(victim: NodeKey, target: NodeId, kind: Kind, count: int) -> list[Record]:
    """Return versions of one record as their owner would sign them."""
    return [
        sign_record(kind, target, victim.public_key, seq, 3600, b"version %d" % seq, victim.sign)
        for seq in range(1, count + 1)
    ]
