"""The caps of the gateway: nothing that a network can fill grows without bound."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Counts and seconds; the defaults suit a laptop with a handful of phones."""

    calls: int = 200
    calls_per_user: int = 16
    calls_per_peer: int = 8
    transfers_in_a_row: int = 5
    bindings_per_user: int = 10
    min_expires: int = 30
    max_expires: int = 3600
    default_expires: int = 600
    replay_memory: int = 4096
    ring_timeout: float = 180.0
    bye_timeout: float = 5.0
    session_interval: int = 180
    messages: int = 64
    messages_per_peer: int = 8
    subscriptions_per_user: int = 200
    watches: int = 200
    watches_looking: int = 8
    watchers: int = 256
    watchers_per_peer: int = 4
    watchers_asking: int = 8
    mesh_subscription: int = 600
    notify_pause: float = 1.0
