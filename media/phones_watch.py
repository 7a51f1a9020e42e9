"""Tells by what the phones of a call secure themselves, each time that it changes."""

from collections.abc import Callable

from .events import MediaEvent, PhonesSecureThemselves, SecuredBy


class PhonesWatch:
    """One call's."""

    def __init__(self, call_id: str, on_event: Callable[[MediaEvent], None]) -> None:
        self._call_id = call_id
        self._on_event = on_event
        self._by: SecuredBy = ""

    def see_zrtp(self) -> None:
        """The phones say that they have keys by ZRTP."""
        self._tell("ZRTP")

    def see_srtp(self, *, is_end_to_end: bool) -> None:
        """Descriptions have been agreed on, by which all media of the call is the phones' own SRTP, or is not."""
        if is_end_to_end:
            self._tell("SRTP")
        elif self._by == "SRTP":
            self._tell("")

    def _tell(self, by: SecuredBy) -> None:
        if by != self._by:
            self._by = by
            self._on_event(PhonesSecureThemselves(self._call_id, by))
