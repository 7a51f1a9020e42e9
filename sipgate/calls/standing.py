"""An answered call, seen from one of its legs."""

from __future__ import annotations

from dataclasses import dataclass

from .call import Call
from .leg import Leg


@dataclass(frozen=True)
class Standing:
    """`beyond` is the leg that `leg` is joined with."""

    call: Call
    leg: Leg
    beyond: Leg
