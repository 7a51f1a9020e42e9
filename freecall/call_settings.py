"""Do not disturb, and call waiting: what the user wants of the next call, kept over restarts."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from sipgate.ports import LocalUser, Peer, Refusal

from .errors import FreeCallError
from .store import FileStore

VERSION = 1


class SettingsRefused(FreeCallError):
    """The settings cannot be read, kept or changed so; the message says why."""


@dataclass(frozen=True)
class Wanted:
    """`do_not_disturb`: no call rings. `call_waiting`: a second call rings beside the first."""

    do_not_disturb: bool = False
    call_waiting: bool = True


class CallSettings:
    """The user's settings, and the rules for calls that follow. A change is on disk before the method returns."""

    def __init__(self, store: FileStore, emit: Callable[..., object]) -> None:
        """Load them; raise `SettingsRefused` when the file is damaged."""
        self._store = store
        self._emit = emit
        raw = store.load()
        try:
            self._wanted = Wanted() if raw is None else _parse(json.loads(raw))
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsRefused(
                f"{store.path} says whether you want to be disturbed, and cannot be read. Remove it to begin anew."
            ) from error

    def shown(self) -> dict[str, bool]:
        """Return each setting."""
        return asdict(self._wanted)

    def change(self, changes: dict[str, Any]) -> dict[str, bool]:
        """Change some of the settings; return all.

        Raises:
            SettingsRefused: there is no such setting, or it is neither true nor false, or cannot be saved.
        """
        known = asdict(self._wanted)
        for name, value in changes.items():
            if name not in known or not isinstance(value, bool):
                raise SettingsRefused(f"Settings are {' and '.join(known)}, each true or false.")
        wanted = replace(self._wanted, **changes)
        if wanted != self._wanted:
            try:
                self._store.save(json.dumps({"version": VERSION, **asdict(wanted)}).encode() + b"\n")
            except OSError as error:
                raise SettingsRefused(f"It could not be saved ({error.strerror}).") from error
            self._wanted = wanted
            self._emit("settings_changed", **asdict(wanted))
        return self.shown()

    # -- sipgate.call_rules.CallRules

    def before_ringing(self, user: LocalUser, caller: Peer, others: int) -> None:  # noqa: ARG002 - the port's
        """Refuse a call that the user does not want now."""
        if self._wanted.do_not_disturb:
            raise Refusal(486, f"{user.display_name} does not want to be disturbed now")
        if others and not self._wanted.call_waiting:
            raise Refusal(486, f"{user.display_name} is in a call")


def _parse(content: Any) -> Wanted:
    if content["version"] != VERSION:
        raise ValueError("unknown version")
    wanted = Wanted(content["do_not_disturb"], content["call_waiting"])
    if not all(isinstance(value, bool) for value in asdict(wanted).values()):
        raise TypeError("neither true nor false")
    return wanted
