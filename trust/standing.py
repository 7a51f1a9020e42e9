"""How far a key under a name is to be believed, and why: pins, the user's web of trust, introductions.

What each source can do is in docs/protocol/trust.md, section "Standing".
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from .errors import KeyringError
from .introductions import Introduction, Introductions
from .pins import Pins, TrustState
from .protocol.uris import MeshUri
from .user_gpg import ListedKey
from .web_of_trust import WebOfTrust

VALIDITY = {
    "u": "ultimate",
    "f": "full",
    "m": "marginal",
    "n": "never",
    "r": "revoked",
    "e": "expired",
    "i": "invalid",
    "d": "disabled",
}
VALID = ("ultimate", "full")
BAD = {
    "revoked": "Your GnuPG keyring says that this key is revoked",
    "invalid": "Your GnuPG keyring says that this key is invalid",
    "disabled": "You have disabled this key in your GnuPG keyring",
}


@dataclass(frozen=True)
class Reason:
    """One step on the way to a standing: which source (``pin``, ``keyring``, ``introduction``) and a sentence."""

    source: str
    text: str


@dataclass(frozen=True)
class Standing:
    """What is known of a key under a name. ``problem`` is a sentence that forbids its use, None when there is none."""

    state: TrustState
    reasons: tuple[Reason, ...]
    introduced_by: tuple[str, ...] = ()
    problem: str | None = None


class Standings:
    """Judges keys. Without a web of trust or introductions only the pins count."""

    def __init__(
        self,
        pins: Pins,
        introductions: Introductions | None = None,
        web: WebOfTrust | None = None,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._pins = pins
        self._introductions = introductions
        self._web = web
        self._clock = clock

    async def of(self, uri: str, fingerprint: str) -> Standing:
        """Return how ``fingerprint`` stands under the canonical ``uri``.

        Raises:
            BadUri: ``uri`` is not canonical.
        """
        state = self._pins.state_of(uri, fingerprint)
        reasons = [Reason("pin", self._pinned(uri, state))]
        problem = None
        if self._web is not None:
            judged = await _in_keyring(self._web, uri, fingerprint, state)
            state, problem = judged.state, judged.problem
            reasons.append(Reason("keyring", judged.text))
        said = [] if self._introductions is None else self._introductions.of(uri, fingerprint, self._clock())
        if said and state is TrustState.NEW:
            state = TrustState.INTRODUCED
        reasons += [Reason("introduction", self._introduced(each)) for each in said]
        return Standing(state, tuple(reasons), tuple(each.introducer for each in said), problem)

    def _pinned(self, uri: str, state: TrustState) -> str:
        name, pin = _name(uri), self._pins.get(uri)
        if pin is None:
            if state is TrustState.CONFLICT:
                return f"The address {name} belongs to another key: it carries that key's fingerprint."
            return f"No key is kept for {name} yet: the first confirmed call keeps it."
        since = _day(pin.since)
        if state is TrustState.CONFLICT:
            return f"Another key is kept for {name}, since {since}: {pin.fingerprint}. Calls to this one are stopped."
        if pin.verified:
            return f"This key is kept for {name} since {since}, and you have verified it in person."
        return f"This key is kept for {name} since {since}, from a confirmed call."

    def _introduced(self, said: Introduction) -> str:
        pin = self._pins.get(said.introducer)
        known = "have verified in person" if pin is not None and pin.verified else "know from calls"
        basis = "has verified it in person" if said.verified else "knows it from calls"
        who = f"{_name(said.introducer)}, whom you {known},"
        return f"{who} introduced this key as {_name(said.uri)} on {_day(said.made)}, and {basis}."


async def _in_keyring(web: WebOfTrust, uri: str, fingerprint: str, state: TrustState) -> "_Judged":
    try:
        key = await web.key(fingerprint)
    except KeyringError as error:
        return _Judged(state, f"Your GnuPG keyring could not be asked. {error}")
    if key is None:
        return _Judged(state, "Your GnuPG keyring does not have this key.")
    return _judged(key, uri, state)


@dataclass(frozen=True)
class _Judged:
    """A state with what the keyring adds to it, the sentence about it, and what forbids the key."""

    state: TrustState
    text: str
    problem: str | None = None


def _judged(key: ListedKey, uri: str, state: TrustState) -> _Judged:
    level = "disabled" if key.is_disabled else VALIDITY.get(key.validity, "unknown")
    if level in BAD:
        return _Judged(state, f"{BAD[level]}: it is not accepted.", f"{BAD[level]}.")
    if level == "expired":
        return _Judged(
            state, "In your GnuPG keyring this key has expired: fetch it anew. Until then it adds nothing."
        )
    valid = [each.text for each in key.user_ids if VALIDITY.get(each.validity) in VALID]
    if not valid:
        return _Judged(state, f"Your GnuPG keyring has this key, but holds no user id of it valid ({level}).")
    held = f"Your GnuPG keyring holds this key valid ({level}) as"
    if state is TrustState.CONFLICT:
        return _Judged(state, f"{held} {valid[0]!r}. The key that is kept for the name comes first.")
    shown = _naming(key, uri) if state is TrustState.NEW else valid[0]
    if not shown:
        return _Judged(state, f"{held} {valid[0]!r}, which does not name {_name(uri)}.")
    return _Judged(TrustState.VERIFIED, f"{held} {shown!r}: verified.")


def _naming(key: ListedKey, uri: str) -> str:
    """Return a fully valid user id that names this address, or nothing."""
    user = MeshUri.parse(uri).user
    wanted = (f"<sip:{user}@mesh>", f"<{user}@mesh>", f"<{uri}>")
    for each in key.user_ids:
        if VALIDITY.get(each.validity) in VALID and each.text.lower().endswith(wanted):
            return each.text
    return ""


def _name(uri: str) -> str:
    return uri.removeprefix("sip:")


def _day(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).date().isoformat()
