"""Do not disturb, call waiting, forwarding, no name: what the user wants of the next call, kept over restarts."""

import json
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from typing import Any

from sipgate.call_rules import Forwarded
from sipgate.ports import LocalUser, Peer, Refusal

from .errors import FreeCallError, NotAMeshUri
from .mesh_uri import canonical, dial_code_of
from .store import FileStore

VERSION = 1
SHORTEST_RING, LONGEST_RING = 5, 120
BUSY = frozenset({486, 600})
NO_ANSWER = frozenset({408, 480})

Value = bool | int | str


class SettingsRefused(FreeCallError):
    """The settings cannot be read, kept or changed so; the message says why."""


@dataclass(frozen=True)
class Wanted:
    """`do_not_disturb`: no call rings. `call_waiting`: a second call rings beside the first. `anonymous`: the user's
    own calls do not say who they are.

    The `forward_` ones are mesh URIs, or empty: who gets all calls; those that find the user busy (or not to be
    disturbed); those that have rung for `no_answer_seconds`; those that find no phone switched on.
    """

    do_not_disturb: bool = False
    call_waiting: bool = True
    forward_always: str = ""
    forward_busy: str = ""
    forward_no_answer: str = ""
    forward_away: str = ""
    no_answer_seconds: int = 20
    anonymous: bool = False


class CallSettings:
    """The user's settings, and the rules for calls that follow. A change is on disk before the method returns.

    `own` are the user's own URIs: calls are not forwarded to them.
    """

    def __init__(self, store: FileStore, emit: Callable[..., object], own: Collection[str] = ()) -> None:
        """Load them; raise `SettingsRefused` when the file is damaged."""
        self._store = store
        self._emit = emit
        self._own = own
        raw = store.load()
        try:
            self._wanted = Wanted() if raw is None else self._parse(json.loads(raw))
        except (ValueError, KeyError, TypeError, SettingsRefused) as error:
            raise SettingsRefused(
                f"{store.path} says whether you want to be disturbed, and cannot be read. Remove it to begin anew."
            ) from error

    def _parse(self, content: Any) -> Wanted:
        if content.pop("version") != VERSION:
            raise ValueError("unknown version")
        return replace(Wanted(), **self._checked(content))

    def shown(self) -> dict[str, Value]:
        """Return each setting."""
        return asdict(self._wanted)

    def change(self, changes: dict[str, Any]) -> dict[str, Value]:
        """Change some of the settings; return all. A name to forward to may be given in any form, or be empty.

        Raises:
            SettingsRefused: there is no such setting, or no such value for it, or it cannot be saved.
        """
        wanted = replace(self._wanted, **self._checked(changes))
        if wanted != self._wanted:
            try:
                self._store.save(json.dumps({"version": VERSION, **asdict(wanted)}).encode() + b"\n")
            except OSError as error:
                raise SettingsRefused(f"It could not be saved ({error.strerror}).") from error
            self._wanted = wanted
            self._emit("settings_changed", **asdict(wanted))
        return self.shown()

    def _checked(self, changes: dict[str, Any]) -> dict[str, Any]:
        known = asdict(Wanted())
        for name in changes:
            if name not in known:
                raise SettingsRefused(f"There is no setting {name[:32]}. Settings are {', '.join(known)}.")
        return {name: self._value(name, known[name], value) for name, value in changes.items()}

    def _value(self, name: str, default: Value, value: Any) -> Value:
        if isinstance(default, bool):
            if not isinstance(value, bool):
                raise SettingsRefused(f"{name} is either true or false.")
            return value
        if isinstance(default, int):
            if type(value) is not int or not SHORTEST_RING <= value <= LONGEST_RING:
                raise SettingsRefused(f"{name} is a number from {SHORTEST_RING} to {LONGEST_RING}.")
            return value
        if not isinstance(value, str):
            raise SettingsRefused(f"{name} is a name such as carol@mesh, or empty.")
        return self._target(value) if value else value

    def _target(self, text: str) -> str:
        try:
            target = canonical(text)
        except NotAMeshUri as error:
            raise SettingsRefused(f"Calls go to a name such as carol@mesh. {error}") from error
        if target in self._own:
            raise SettingsRefused("Your calls come to you already. Forward them to somebody else.")
        if dial_code_of(target) is not None:
            raise SettingsRefused("Calls go to a name such as carol@mesh, not to a dial code.")
        return target

    # -- sipgate.call_rules.CallRules

    def before_ringing(self, user: LocalUser, caller: Peer, others: int) -> float | None:
        """Refuse or forward a call that the user does not want now; return how long it rings."""
        wanted = self._wanted
        if _is_for_other(wanted.forward_always, caller):
            raise _forwarded(user, wanted.forward_always, "unconditional")
        if wanted.do_not_disturb:
            raise Refusal(486, f"{user.display_name} does not want to be disturbed now")
        if others and not wanted.call_waiting:
            raise Refusal(486, f"{user.display_name} is in a call")
        return float(wanted.no_answer_seconds) if _is_for_other(wanted.forward_no_answer, caller) else None

    def calls_anonymously(self, user: LocalUser) -> bool:  # noqa: ARG002 - a node has one user
        """Tell what the user has set."""
        return self._wanted.anonymous

    def instead(self, user: LocalUser, caller: Peer, refusal: Refusal, *, has_rung: bool) -> Refusal:
        """Forward a call that nobody took, if the user wants that."""
        wanted = self._wanted
        if refusal.status in BUSY:
            target, why = wanted.forward_busy, "do-not-disturb" if wanted.do_not_disturb else "user-busy"
        elif refusal.status in NO_ANSWER and has_rung:
            target, why = wanted.forward_no_answer, "no-answer"
        elif refusal.status in NO_ANSWER:
            target, why = wanted.forward_away, "away"
        else:
            return refusal
        return _forwarded(user, target, why) if _is_for_other(target, caller) else refusal


def _is_for_other(target: str, caller: Peer) -> bool:
    """Tell whether a call goes on to `target`: whoever gets the user's calls gets through to the user."""
    return bool(target) and target != caller.uri


def _forwarded(user: LocalUser, target: str, why: str) -> Forwarded:
    return Forwarded(target, why, f"{user.display_name}'s calls go to {target.removeprefix('sip:')} now")
