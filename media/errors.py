"""The failures that the media of a call raises; they are defined beside the rules that find them."""

from .protocol.errors import MediaError, MediaRefused, first_of

__all__ = ["MediaError", "MediaRefused", "first_of"]
