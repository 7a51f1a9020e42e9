"""One line for each thing that happens, in words for the person at the laptop."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from .events import Event
from .mesh_uri import ANONYMOUS, user_of

TRUST_WORDS = {
    "new": "new person",
    "introduced": "introduced",
    "pinned": "same key as before",
    "verified": "verified in person",
    "self": "yourself",
    "plain": "NOT ENCRYPTED",
    "anonymous": "does not say who",
    "conflict": "KEY CHANGED",
}

PHONES_SECURED = {
    "ZRTP": "The phones secure themselves, too (ZRTP): {}. Compare what the phones show.",
    "SRTP": "The phones secure themselves, too (SRTP): {}. The nodes pass it on as it is; both know the keys.",
    "": "The phones' encryption ends at the nodes again: {}",
}
FIRST = ("new", "introduced", "anonymous")  # whom no key proves to be the same as before

FORWARDING_WORDS = {
    "forward_always": "all calls",
    "forward_busy": "calls that find you busy",
    "forward_no_answer": "calls that you do not take",
    "forward_away": "calls while no phone is on",
}
SOUND_WORDS = ((4.03, "good"), (3.6, "fair"), (3.1, "poor"), (0.0, "bad"))
"""From the estimated MOS at least so high; `received` is never 0 where there is an estimate."""


def sound_word(mos: float) -> str:
    """Return how a call with this estimated MOS sounds."""
    return next(word for limit, word in SOUND_WORDS if mos >= limit)


def shown(uri: str) -> str:
    """Return an address as people read it."""
    return user_of(uri) if uri == ANONYMOUS else uri.removeprefix("sip:")


def json_printer(write: Callable[[str], None]) -> Callable[[Event], None]:
    """Return what prints events as JSON, a line each."""
    return lambda event: write(event.json())


class Narrator:
    """Prints events as sentences. Events that matter only to programs stay silent."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._peers: dict[str, str] = {}
        self._unheard: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Print the sentence of ``event``, if it has one."""
        if event.name == "ready":
            self._write(welcome(event.fields))
            return
        sentence = self.sentence(event)
        if sentence:
            when = datetime.fromtimestamp(event.at).astimezone()
            self._write(f"{when:%H:%M:%S}  {sentence}")

    def sentence(self, event: Event) -> str | None:
        """Return the words for ``event``, None when a person need not know."""
        tell = getattr(self, f"_{event.name}", None)
        return tell(event.fields) if tell else None

    def _name(self, fields: dict[str, Any]) -> str:
        return shown(self._peers.get(fields["call"], fields.get("peer") or "the other side"))

    def _joined(self, f: dict[str, Any]) -> str:
        return f"On the mesh: {f['contacts']} node{'s' if f['contacts'] != 1 else ''} known."

    def _isolated(self, f: dict[str, Any]) -> str:
        if f["reason"] == "not found":
            return "Cut off: other nodes answer, but do not find this one, so nobody can call you. Joining again."
        return "Alone: no other node found yet. Calls to yourself and echo@mesh work."

    def _reachability(self, f: dict[str, Any]) -> str:
        seen_as = f" They see it at {f['seen_as']}." if f["seen_as"] else ""
        if f["reachable"]:
            return f"Other nodes can reach this one.{seen_as}"
        return (
            f"Other nodes cannot reach this one: a router or firewall is in between.{seen_as}"
            " Open the mesh port there, UDP and TCP, to be called from outside."
        )

    def _published(self, f: dict[str, Any]) -> str:
        name = f["uri"].removeprefix("sip:")
        if f["copies"] == 1:
            return f"{name} is published, so far on this node only."
        return f"{name} can be found: {f['copies']} nodes keep it."

    def _phone_registered(self, f: dict[str, Any]) -> str:
        return f"Phone ready: {f['device'] or f['contact']}"

    def _device_paired(self, f: dict[str, Any]) -> str:
        return f"{f['device']} is paired" + (
            ", NOT ENCRYPTED between the phone and this node" if f["plain"] else ""
        )

    def _device_revoked(self, f: dict[str, Any]) -> str:
        return f"{f['device']} is let in no more"

    def _phone_unregistered(self, f: dict[str, Any]) -> str:
        return f"Phone gone: {f['contact']}"

    def _registration_refused(self, f: dict[str, Any]) -> str:
        return f"A phone was refused ({f['user']}): {f['reason']}"

    def _call_started(self, f: dict[str, Any]) -> str:
        self._peers[f["call"]] = f["peer"]
        who = shown(f["peer"])
        trust = TRUST_WORDS.get(f["trust"], f["trust"])
        if f["trust"] == "introduced":
            trust = "introduced by " + " and ".join(uri.removeprefix("sip:") for uri in f["introduced_by"])
        return (
            f"{who} is calling ({trust})"
            if f["direction"] == "in"
            else f"Calling {who} ({trust})"
            + (", who is not told that it is you" if f.get("anonymous") else "")
        )

    def _call_plain(self, f: dict[str, Any]) -> str:
        who = f["peer"].removeprefix("sip:")
        return f"Warning: the call to {who} is not encrypted, and nobody proves who answers."

    def _call_ringing(self, f: dict[str, Any]) -> str:
        return f"Ringing: {self._name(f)}"

    def _call_forwarded(self, f: dict[str, Any]) -> str:
        return f"{f['by'].removeprefix('sip:')} has calls go to {f['to'].removeprefix('sip:')}"

    def _call_answered(self, f: dict[str, Any]) -> str:
        return f"Answered: {self._name(f)}"

    def _call_secured(self, f: dict[str, Any]) -> str:
        who = self._name(f)
        words = " ".join(f["words"])
        signed = "NOT SIGNED"
        if f["signed"]:
            signed = "signed by the pinned key" if f["pinned"] else "signed, and the key is not kept"
        hint = "  Compare these words with the other person." if f["trust"] in FIRST else ""
        return (
            f"[lock] {who}: {TRUST_WORDS.get(f['trust'], f['trust'])}, {signed}.\n"
            f"          key    {spaced(f['fingerprint'])}\n"
            f"          words  {words}{hint}"
        )

    def _call_refused(self, f: dict[str, Any]) -> str:
        self._peers.pop(f["call"], None)
        return f"Not connected to {shown(f['peer'])}: {f['reason']} ({f['status']})"

    def _call_ended(self, f: dict[str, Any]) -> str:
        who = self._name(f)
        self._peers.pop(f["call"], None)
        self._unheard.discard(f["call"])
        by = {"phone": "your side hung up", "peer": "the other side hung up"}.get(f["by"], f["reason"])
        return f"Ended: {who} ({by})"

    def _phones_secure_themselves(self, f: dict[str, Any]) -> str:
        return PHONES_SECURED[f["by"]].format(self._name(f))

    def _call_hearing(self, f: dict[str, Any]) -> str | None:
        """Say what is wrong, and when it is over; silence is somebody's own doing."""
        who, said = self._name(f), (f["they_hear_you"], f["you_hear_them"])
        if "no" in said:
            self._unheard.add(f["call"])
            lost = (f"{who} does not hear you", f"you do not hear {who}")
            return "No sound: " + " and ".join(
                text for text, way in zip(lost, said, strict=True) if way == "no"
            )
        if f["call"] in self._unheard and said == ("yes", "yes"):
            self._unheard.discard(f["call"])
            return f"Sound again: {who} and you hear each other"
        return None

    def _call_path(self, f: dict[str, Any]) -> str:
        who = self._name(f)
        match f["state"]:
            case "lost":
                return f"Nothing arrives from {who} any more: looking for another way. Stay on the line."
            case "repairing":
                return f"The node of {who} is found again: connecting anew"
            case _:
                return f"Connected to {who} again, after {f['gap_ms'] / 1000:.1f} s without sound"

    def _call_quality(self, f: dict[str, Any]) -> str | None:
        """Say it once, at the end; the words are those of ITU-T G.107 Annex B, table B.1, put simply."""
        if not f["final"]:
            return None
        word = sound_word(f["mos"])
        lost = 100 * f["lost"] / (f["received"] + f["lost"])
        return f"The sound of that call was {word} ({lost:.1f} % lost)"

    def _receipt_kept(self, f: dict[str, Any]) -> str:
        return f"Receipt from {f['peer'].removeprefix('sip:')}: {f['file']}"

    def _call_missed(self, f: dict[str, Any]) -> str:
        return f"Missed: {shown(f['peer'])} ({TRUST_WORDS.get(f['trust'], f['trust'])})"

    def _strangers_turned_away(self, f: dict[str, Any]) -> str:
        return (
            "A stranger's call was turned away"
            if f["count"] == 1
            else f"{f['count']} strangers' calls turned away"
        )

    def _person_blocked(self, f: dict[str, Any]) -> str:
        return f"Blocked: {f['peer'].removeprefix('sip:') or spaced(f['fingerprint'])}"

    def _settings_changed(self, f: dict[str, Any]) -> str:
        said = ["No call rings: do not disturb" if f["do_not_disturb"] else "Calls ring"]
        if not f["call_waiting"]:
            said.append("a second one does not")
        if f.get("anonymous"):
            said.append("your own do not say who you are")
        for name, which in FORWARDING_WORDS.items():
            if f[name]:
                said.append(f"{which} go to {f[name].removeprefix('sip:')}")
        return "; ".join(said)

    def _dial_code(self, f: dict[str, Any]) -> str:
        return f"{f['code']} was dialled: {'yes' if f['done'] else 'no'}"

    def _person_unblocked(self, f: dict[str, Any]) -> str:
        return f"No longer blocked: {f['peer'].removeprefix('sip:') or spaced(f['fingerprint'])}"

    def _call_transferred(self, f: dict[str, Any]) -> str:
        by, whom, to = (f[name].removeprefix("sip:") for name in ("by", "whom", "to"))
        match f["part"]:
            case "transferor":
                return f"You sent {whom} on to {to}"
            case "transferee":
                return f"{by} sent you on to {to}"
            case _:
                return f"{by} sent {whom} on to you"

    def _message_sent(self, f: dict[str, Any]) -> str:
        return f"Message to {f['peer'].removeprefix('sip:')} ({TRUST_WORDS.get(f['trust'], f['trust'])})"

    def _message_delivered(self, f: dict[str, Any]) -> str:
        return f"Delivered: the message to {f['peer'].removeprefix('sip:')}"

    def _message_received(self, f: dict[str, Any]) -> str:
        return f"Message from {f['peer'].removeprefix('sip:')} ({TRUST_WORDS.get(f['trust'], f['trust'])})"

    def _message_kept(self, f: dict[str, Any]) -> str:
        who = f["peer"].removeprefix("sip:")
        if f["direction"] == "in":
            return f"A message from {who} waits for a phone"
        return f"{who} is away: the message waits {'here' if f['where'] == 'here' else 'at their node'}"

    def _message_expired(self, f: dict[str, Any]) -> str:
        who = f["peer"].removeprefix("sip:")
        return f"Not taken in time: a message {'from' if f['direction'] == 'in' else 'to'} {who}"

    def _message_refused(self, f: dict[str, Any]) -> str:
        who = f["peer"].removeprefix("sip:")
        direction = "from" if f["direction"] == "in" else "to"
        return f"Not delivered: a message {direction} {who}: {f['reason']} ({f['status']})"

    def _warning(self, f: dict[str, Any]) -> str:
        return f"Warning: {f['text']}"

    def _stopped(self, _f: dict[str, Any]) -> str:
        return "Stopped."


def spaced(fingerprint: str) -> str:
    """Return a fingerprint in groups of four, as GnuPG shows it."""
    return " ".join(fingerprint[i : i + 4] for i in range(0, len(fingerprint), 4))


def welcome(ready: dict[str, Any]) -> str:
    """Return what a person reads first: who they are, how to point a phone here, what to try."""
    sip = ready["sip"]
    lines = [
        f"Free Call {ready['version']}",
        "",
        f"  You are     {ready['uri'].removeprefix('sip:')}",
        f"              {ready['self_certifying_uri'].removeprefix('sip:')}  (only your key can claim this one)",
        *(["              unlisted: only who has the whole address finds you"] if ready["unlisted"] else []),
        f"  Your key    {spaced(ready['fingerprint'])}",
        "",
        f"  Your phone  server    {sip['address']}  (UDP or TCP; as outbound proxy where it asks for one)",
        f"              user      {sip['username']}     domain  {sip['domain']}",
        f"              password  {sip['secret']}",
    ]
    for kind, path in ready["provisioning"].items():
        lines.append(f"              or copy this file into {kind}: {path}")
    if ready.get("browser"):
        lines.append(f"              or open this page on this computer: {ready['browser']}")
    lines += [
        "",
        f"  Try it      dial echo@{sip['domain']} on the phone, or type: .venv/bin/fc-call echo@{sip['domain']}",
        *network_lines(ready),
        f"  State       {ready['data']}",
        "  Ctrl-C stops this node.",
        "",
    ]
    return "\n".join(lines)


def network_lines(ready: dict[str, Any]) -> list[str]:
    """Return how others come to us: with the address of this node, or the list of a private network."""
    if not any(one["private"] for one in ready["networks"]):
        where = ready["mesh"][0] if ready["mesh"] else "HOST:PORT"
        return [f"  Others      join with: ./scripts/run --bootstrap {where}"]
    names = ", ".join(
        f"{one['name']} ({'private' if one['private'] else 'public'})" for one in ready["networks"]
    )
    return [
        f"  Network     {names}",
        "  Others      need its list: .venv/bin/fc-bootstrap export, or qr",
    ]


def as_text(evidence: dict[str, Any]) -> str:
    """Return the evidence of a lookup as a person reads it."""
    name = evidence["uri"].removeprefix("sip:")
    lines = []
    for claim in evidence["claims"]:
        trust = TRUST_WORDS.get(claim["trust"], claim["trust"])
        believed = (
            "vouches for this node" if claim["verified_delegation"] else f"NOT BELIEVED: {claim['problem']}"
        )
        lines += [
            f"{name}: {trust}",
            f"  key         {spaced(claim['fingerprint'])}  ({believed})",
            f"  node        {claim['node_id']}",
            f"  reachable   {', '.join(claim['endpoints']) or 'not now'}",
            f"  copies      {claim['copies']}",
        ]
    if evidence["conflict"]:
        lines.append(
            f"CONFLICT: you know {name} by the key {spaced(evidence['pinned_fingerprint'])}. "
            "Nobody with that key claims the name now, somebody else does. Calls to it are refused."
        )
    elif not evidence["claims"]:
        lines.append(f"Nobody on the mesh is called {name}.")
    lines.append(f"{evidence['elapsed_ms']} ms, {evidence['asked']} nodes asked")
    return "\n".join(lines)


def dumps(value: dict[str, Any]) -> str:
    """Return one stable JSON line."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
