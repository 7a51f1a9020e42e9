"""The parties that live in the node instead of a phone: an echo, and a player and recorder of WAV files."""

from .echo_phone import EchoPhone
from .wav_phone import WavPhone

__all__ = ["EchoPhone", "WavPhone"]
