"""What becomes of a letter of ours that could not be delivered at once: one table (docs/protocol/sip.md)."""

import enum


class State(enum.Enum):
    """Where a letter stands."""

    WAITING = "waiting"  # here, for the other node to come back
    LEFT = "left"  # at the other node, for a phone
    DELIVERED = "delivered"  # a phone has it; ours does not know yet
    EXPIRED = "expired"  # so too
    REFUSED = "refused"  # so too
    GONE = "gone"


class Input(enum.Enum):
    """What happens to it."""

    TAKEN = enum.auto()  # a phone took it, says the other node
    KEPT_THERE = enum.auto()  # the other node keeps it
    AWAY = enum.auto()  # nobody there
    REFUSED = enum.auto()
    RAN_OUT = enum.auto()  # its time is over
    TOLD = enum.auto()  # a phone of the sender has taken the notice


TABLE: dict[tuple[State, Input], State] = {
    (State.WAITING, Input.TAKEN): State.DELIVERED,
    (State.WAITING, Input.KEPT_THERE): State.LEFT,
    (State.WAITING, Input.AWAY): State.WAITING,
    (State.WAITING, Input.REFUSED): State.REFUSED,
    (State.WAITING, Input.RAN_OUT): State.EXPIRED,
    (State.LEFT, Input.TAKEN): State.DELIVERED,
    (State.LEFT, Input.RAN_OUT): State.EXPIRED,
    (State.DELIVERED, Input.TOLD): State.GONE,
    (State.DELIVERED, Input.RAN_OUT): State.GONE,
    (State.EXPIRED, Input.TOLD): State.GONE,
    (State.EXPIRED, Input.RAN_OUT): State.GONE,
    (State.REFUSED, Input.TOLD): State.GONE,
    (State.REFUSED, Input.RAN_OUT): State.GONE,
}
TO_TELL = frozenset((State.DELIVERED, State.EXPIRED, State.REFUSED))


def step(state: State, happened: Input) -> State:
    """Return the next state; what is not in the table changes nothing."""
    return TABLE.get((state, happened), state)
