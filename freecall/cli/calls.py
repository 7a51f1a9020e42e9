"""fc-calls: the calls of the running node, those in progress and those that are over."""

import argparse
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from freecall.control.client import ControlClient
from freecall.narrate import TRUST_WORDS, dumps, shown, sound_word

from . import USAGE_ERROR, give_up, parser, say
from ._asking import asking

DECLINED = (600, 603)
PHONES_SECURED = {
    "ZRTP": "the phones secure themselves (ZRTP)",
    "SRTP": "the phones secure themselves (SRTP, whose keys the nodes know)",
}
FORWARDING = {
    "forward-always": "all your calls",
    "forward-busy": "calls that find you busy, or not to be disturbed",
    "forward-no-answer": "calls that you do not take",
    "forward-away": "calls while no phone of yours is on",
}
EXAMPLES = """\
Examples:

  fc-calls                       the calls in progress, each with its ID
  fc-calls hangup ID             ends one of them
  fc-calls transfer ID carol@mesh
                                 whom you talk with calls carol, and you are out of it
  fc-calls transfer ID --with ID2
                                 joins those of two calls of yours with each other
  fc-calls settings --do-not-disturb on
                                 no call rings until it is off; all are listed as missed
  fc-calls settings --call-waiting off
  fc-calls settings --anonymous on
                                 whom you call is not told who you are; *82NAME tells it once, *67NAME never
  fc-calls settings --forward-no-answer carol@mesh --no-answer-seconds 15
  fc-calls settings --forward-no-answer off
                                 while you are in a call, a second one hears that you are busy
  fc-calls history --missed      the calls that nobody here answered
  fc-calls history --erase       forgets all calls that are over, on disk too

Exit status: 0 done, 1 there is no such call or the node cannot do it, 2 usage, 3 no node runs.
"""

Command = Callable[[ControlClient, argparse.Namespace], None]


def main() -> None:
    """Run the command; exit status as `EXAMPLES` says."""
    arguments = _arguments()
    command: Command = arguments.run
    with asking(arguments.data) as client:
        command(client, arguments)


def _arguments() -> argparse.Namespace:
    command = parser("fc-calls", "Show and end the calls of the running node.")
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.epilog = EXAMPLES
    command.set_defaults(run=_list, json=False)
    verbs = command.add_subparsers(metavar="COMMAND")

    listing = verbs.add_parser("list", help="the calls in progress (the default)")
    listing.set_defaults(run=_list)

    ending = verbs.add_parser("hangup", help="end a call")
    ending.add_argument("call", metavar="ID", help="the call, as the list shows it")
    ending.set_defaults(run=_hang_up)

    transfer = verbs.add_parser("transfer", help="send whom you talk with to somebody else")
    transfer.add_argument("call", metavar="ID", help="the call, as the list shows it")
    where = transfer.add_mutually_exclusive_group(required=True)
    where.add_argument("to", metavar="NAME", nargs="?", help="whom they shall call")
    where.add_argument(
        "--with", metavar="ID2", dest="consulted", help="another call of yours, whose party they get"
    )
    transfer.set_defaults(run=_transfer)

    settings = verbs.add_parser("settings", help="whether calls ring: show it, or change it")
    for name, says in (
        ("do-not-disturb", "no call rings"),
        ("call-waiting", "a second call rings, too"),
        ("anonymous", "your own calls do not say who you are"),
    ):
        settings.add_argument(f"--{name}", choices=("on", "off"), help=says)
    for name, which in FORWARDING.items():
        settings.add_argument(f"--{name}", metavar="NAME", help=f"who gets {which}; off: nobody")
    settings.add_argument(
        "--no-answer-seconds", metavar="N", type=int, help="how long a call rings before it goes on (20)"
    )
    settings.set_defaults(run=_settings)

    history = verbs.add_parser("history", help="the calls that are over, the latest first")
    chosen = history.add_mutually_exclusive_group()
    chosen.add_argument("--missed", action="store_true", help="only those that nobody here answered")
    chosen.add_argument("--erase", action="store_true", help="forget them all, the missed ones too")
    history.add_argument("--last", metavar="N", type=int, help="at most so many (default: all)")
    history.set_defaults(run=_history)

    for each in (listing, ending, transfer, settings, history):
        each.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = command.parse_args()
    last = getattr(arguments, "last", None)
    if last is not None and (last < 1 or arguments.erase):
        give_up("--last takes a number of 1 or more, and does not go with --erase.", USAGE_ERROR)
    return arguments


def _list(client: ControlClient, arguments: argparse.Namespace) -> None:
    answer = client.request("GET", "/v1/calls")
    if arguments.json:
        say(dumps(answer))
    elif answer["calls"]:
        for call in answer["calls"]:
            say(current(call))
    else:
        say("No calls now.")


def _hang_up(client: ControlClient, arguments: argparse.Namespace) -> None:
    answer = client.request("DELETE", f"/v1/calls/{quote(arguments.call, safe='')}")
    say(dumps(answer) if arguments.json else "Hung up.")


def _transfer(client: ControlClient, arguments: argparse.Namespace) -> None:
    order = {"to": arguments.to} if arguments.to is not None else {"with": arguments.consulted}
    answer = client.request("POST", f"/v1/calls/{quote(arguments.call, safe='')}/transfer", order)
    say(dumps(answer) if arguments.json else f"Sent on to {shown(answer['to'])}.")


def _settings(client: ControlClient, arguments: argparse.Namespace) -> None:
    switched = {name: getattr(arguments, name) for name in ("do_not_disturb", "call_waiting", "anonymous")}
    changes: dict[str, Any] = {name: value == "on" for name, value in switched.items() if value is not None}
    for name in (option.replace("-", "_") for option in FORWARDING):
        if (whom := getattr(arguments, name)) is not None:
            changes[name] = "" if whom == "off" else whom
    if arguments.no_answer_seconds is not None:
        changes["no_answer_seconds"] = arguments.no_answer_seconds
    answer = (
        client.request("PATCH", "/v1/settings", changes) if changes else client.request("GET", "/v1/settings")
    )
    if arguments.json:
        say(dumps(answer))
        return
    for name, value in answer.items():
        shown = value or "off" if not isinstance(value, bool) else "on" if value else "off"
        say(f"{name.replace('_', ' ')}: {str(shown).removeprefix('sip:')}")


def _history(client: ControlClient, arguments: argparse.Namespace) -> None:
    if arguments.erase:
        answer = client.request("DELETE", "/v1/history")
        say(dumps(answer) if arguments.json else f"Forgotten: {_calls(answer['erased'])}.")
        return
    query = {"missed": "true"} if arguments.missed else {}
    if arguments.last is not None:
        query["last"] = str(arguments.last)
    answer = client.request("GET", "/v1/history?" + urlencode(query))
    if arguments.json:
        say(dumps(answer))
    elif answer["history"]:
        for call in answer["history"]:
            say(past(call))
    else:
        say("No missed calls." if arguments.missed else "No calls are remembered.")


def current(call: dict[str, Any]) -> str:
    """Return a call in progress as a person reads it."""
    words = [call["state"]]
    if call["answered"]:
        words = [f"{lasting(call['duration'])}", _signed(call), *_sound(call), *_unheard(call)]
    return f"{call['call']}  {_who(call)}: {', '.join(words)}"


def past(call: dict[str, Any]) -> str:
    """Return a call that is over as a person reads it."""
    when = datetime.fromtimestamp(call["started_at"]).astimezone()
    return f"{when:%Y-%m-%d %H:%M}  {_who(call)}: {_end(call)}"


def _who(call: dict[str, Any]) -> str:
    toward = "to" if call["direction"] == "out" else "from"
    trust = TRUST_WORDS.get(call["trust"], call["trust"])
    by = f" by way of {call['forwarded_by'].removeprefix('sip:')}" if call["forwarded_by"] else ""
    hidden = ", anonymously" if call["anonymous"] and call["direction"] == "out" else ""
    return f"{toward} {shown(call['peer'])}" + (f" ({trust})" if trust else "") + by + hidden


def _unheard(call: dict[str, Any]) -> list[str]:
    ways = {"they_hear_you": "THEY DO NOT HEAR YOU", "you_hear_them": "YOU DO NOT HEAR THEM"}
    return [text for way, text in ways.items() if call[way] == "no"]


def _end(call: dict[str, Any]) -> str:
    if call["missed"]:
        return "missed"
    if call["answered"]:
        end = ", ".join([lasting(call["duration"]), _signed(call), *_sound(call)])
        return end if call["status"] == 200 else f"{end}, ended: {call['reason']} ({call['status']})"
    if call["status"] in DECLINED:
        return "declined"
    return f"not connected: {call['reason']} ({call['status']})"


def _signed(call: dict[str, Any]) -> str:
    signed = "signed" if call["signed"] else "NOT SIGNED"
    if not call["phones_secure_themselves"]:
        return signed
    return f"{signed}, {PHONES_SECURED.get(call['phones_secured_by'], 'the phones secure themselves')}"


def _sound(call: dict[str, Any]) -> list[str]:
    """Return how it sounds and how long the way is, once something is known of it."""
    if call["mos"] is None:
        return []
    sound = f"sound {sound_word(call['mos'])} ({100 * call['loss']:.1f} % lost, jitter {call['jitter_ms']:.0f} ms)"
    return [sound] if call["round_trip_ms"] is None else [sound, f"round trip {call['round_trip_ms']:.0f} ms"]


def lasting(seconds: float) -> str:
    """Return a time as 1:05 or 1:02:05."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count} calls"


if __name__ == "__main__":
    main()
