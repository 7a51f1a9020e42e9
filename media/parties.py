"""Who takes part in a call, as the confirmation binds it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Parties:
    """OpenPGP primary fingerprints (40 upper-case hexadecimal characters) and node ids (20 bytes) of both."""

    caller_fingerprint: str
    callee_fingerprint: str
    caller_node_id: bytes
    callee_node_id: bytes
