"""The failures that the media of a call raises; they are defined beside the rules that find them."""

from .protocol.errors import MediaError, MediaRefused

__all__ = ["MediaError", "MediaRefused"]
