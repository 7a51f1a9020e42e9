"""What the overlay raises towards its owner."""

from .protocol.errors import StoreCode, StoreRefused, WireError


class OverlayError(Exception):
    """The overlay cannot do what was asked; the text says why."""


class Isolated(OverlayError):
    """No other node is known or answers: nobody can be asked."""


__all__ = ["Isolated", "OverlayError", "StoreCode", "StoreRefused", "WireError"]
