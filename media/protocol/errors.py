"""Failures of media, each with the SIP status that a call ends with and the sentence a person reads."""


class MediaError(Exception):
    """The media of this call cannot go on: `status` for SIP, `reason` for the person."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason


class MediaRefused(MediaError):
    """An offer, an answer or a transport cannot be served; the call, if there is one, stays as it was."""

    def __init__(self, reason: str, status: int = 488) -> None:
        super().__init__(status, reason)


def first_of(errors: BaseExceptionGroup[MediaError]) -> MediaError:
    """Return the first in a group of them, however deep."""
    first = errors.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first
