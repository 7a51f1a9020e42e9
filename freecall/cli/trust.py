"""fc-trust: why a name is believed or not, verifying people, and introductions."""

import argparse
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from freecall.config import default_data_directory
from freecall.control.client import ControlClient, NodeNotRunning, NodeRefused
from freecall.narrate import TRUST_WORDS, dumps, spaced

from . import USAGE_ERROR, give_up, parser, say

NOT_FOUND, NO_NODE, STOPPED, STRANGER = 1, 3, 4, 5
STATUS = {
    "unknown": NOT_FOUND,
    "several": STRANGER,
    "new": STRANGER,
    "conflict": STOPPED,
    "forbidden": STOPPED,
}
WORDS = {
    **TRUST_WORDS,
    "unknown": "nobody here knows the name",
    "several": "several strangers have this name: use a long address",
    "forbidden": "KEY NOT ACCEPTED by your GnuPG keyring",
}
MAX_CARD_FILE = 48 * 1024
VERBS = ("show", "verify", "forget", "introduce", "import", "introductions", "key")
EXAMPLES = """\
Examples:

  fc-trust bob@mesh                            who that is to you, and why
  fc-trust verify bob@mesh --words "one two three four"
                                               bob read these out to you, in a call that still lasts or is just over
  fc-trust verify bob@mesh --fingerprint "…"   bob showed you this (or its QR code)
  fc-trust forget bob@mesh                     the next call with that name is a first one again
  fc-trust introduce bob@mesh --to carol@mesh  a signed card that tells carol which key bob has
  fc-trust import card.txt                     take a card that somebody you know made for you
  fc-trust introductions                       those you have taken
  fc-trust key                                 your public key, to import with gpg; --qr shows its fingerprint as a code

Exit status of fc-trust NAME: 0 known (verified, same key, introduced, yourself), 1 nobody has the name, 2 usage,
3 no node runs, 4 calls are stopped (another key than before, or a key that your keyring refuses), 5 a stranger.
Of the others: 0 done, 1 refused, 2 usage, 3 no node runs.
"""

Command = Callable[[ControlClient, argparse.Namespace], int]


def main() -> None:
    """Run the command; exit status as `EXAMPLES` says."""
    arguments = _arguments(sys.argv[1:])
    command: Command = arguments.run
    try:
        status = command(ControlClient(arguments.data or default_data_directory()), arguments)
    except NodeNotRunning as error:
        give_up(str(error), NO_NODE)
    except NodeRefused as error:
        give_up(str(error), USAGE_ERROR if arguments.run is _show else 1)
    raise SystemExit(status)


def _arguments(given: list[str]) -> argparse.Namespace:
    command = parser("fc-trust", "Show why a name is believed, and vouch for people.")
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.epilog = EXAMPLES
    verbs = command.add_subparsers(metavar="NAME | COMMAND", required=True)

    showing = verbs.add_parser("show", help="why a name is believed or not (the default)")
    showing.add_argument("uri", metavar="NAME", help="such as bob@mesh")
    showing.set_defaults(run=_show)

    verifying = verbs.add_parser("verify", help="mark somebody as verified in person")
    verifying.add_argument("uri", metavar="NAME", help="whom")
    how = verifying.add_mutually_exclusive_group(required=True)
    how.add_argument("--words", metavar="WORDS", help="the four words that they read out to you")
    how.add_argument(
        "--fingerprint", metavar="KEY", help="the fingerprint that they showed, or what their QR code says"
    )
    verifying.set_defaults(run=_verify)

    forgetting = verbs.add_parser("forget", help="forget the key that is kept for a name")
    forgetting.add_argument("uri", metavar="NAME", help="whom")
    forgetting.set_defaults(run=_forget)

    introducing = verbs.add_parser("introduce", help="tell one person which key another has")
    introducing.add_argument("uri", metavar="NAME", help="whom you vouch for")
    introducing.add_argument("--to", metavar="NAME", required=True, help="who shall read it")
    introducing.add_argument(
        "--output", metavar="FILE", type=Path, help="write the card there (default: print it)"
    )
    introducing.set_defaults(run=_introduce)

    taking = verbs.add_parser("import", help="take a card that was made for you")
    taking.add_argument(
        "file", metavar="FILE", type=Path, help="the text with the card; - reads standard input"
    )
    taking.set_defaults(run=_take)

    listing = verbs.add_parser("introductions", help="those that you have taken and that count now")
    listing.set_defaults(run=_list)
    key = verbs.add_parser("key", help="your public key in ASCII armour")
    key.add_argument(
        "--qr", action="store_true", help="show its fingerprint as a QR code, as OpenPGP programs read it"
    )
    key.set_defaults(run=_key)

    for each in (showing, verifying, forgetting, introducing, taking, listing, key):
        each.add_argument("--json", action="store_true", help="print one JSON object")
    return command.parse_args(_with_verb(given))


def _with_verb(given: list[str]) -> list[str]:
    """Let ``fc-trust bob@mesh`` stand for ``fc-trust show bob@mesh``; options for all come before it."""
    at = 0
    while at < len(given) and given[at].startswith("-"):
        at += 2 if given[at] == "--data" else 1
    flags = [word for word in given[:at] if word == "--json"]
    rest = [word for word in given[:at] if word != "--json"]
    if at < len(given) and given[at] not in VERBS:
        return [*rest, "show", *given[at:], *flags]
    return [*rest, *given[at : at + 1], *flags, *given[at + 1 :]]


def _show(client: ControlClient, arguments: argparse.Namespace) -> int:
    answer = client.request("GET", "/v1/trust?" + urlencode({"uri": arguments.uri}))
    say(dumps(answer) if arguments.json else as_text(answer))
    return STATUS.get(answer["trust"], 0)


def as_text(answer: dict[str, Any]) -> str:
    """Return the answer as a person reads it."""
    lines = [f"{_name(answer['uri'])}: {WORDS.get(answer['trust'], answer['trust'])}"]
    if answer["fingerprint"]:
        lines.append(f"  key  {spaced(answer['fingerprint'])}")
    return "\n".join([*lines, *(f"  - {step['text']}" for step in answer["why"])])


def _verify(client: ControlClient, arguments: argparse.Namespace) -> int:
    how = {"words": arguments.words} if arguments.words else {"fingerprint": arguments.fingerprint}
    answer = client.request("POST", "/v1/trust/verified", {"uri": arguments.uri, **how})
    say(dumps(answer) if arguments.json else f"{_name(answer['uri'])} is verified.")
    return 0


def _forget(client: ControlClient, arguments: argparse.Namespace) -> int:
    answer = client.request("DELETE", "/v1/trust?" + urlencode({"uri": arguments.uri}))
    say(dumps(answer) if arguments.json else f"Forgotten: the key of {_name(answer['uri'])}.")
    return 0


def _introduce(client: ControlClient, arguments: argparse.Namespace) -> int:
    answer = client.request("POST", "/v1/introductions", {"uri": arguments.uri, "to": arguments.to})
    if arguments.output is not None:
        try:
            arguments.output.write_text(answer["card"], encoding="ascii")
        except OSError as error:
            give_up(f"{arguments.output} cannot be written ({error.strerror}).", 1)
    if arguments.json:
        say(dumps(answer))
    elif arguments.output is None:
        say(answer["card"].rstrip())
    else:
        say(
            f"Wrote {arguments.output}: give it to {_name(answer['to'])}, who imports it with fc-trust import."
        )
    return 0


def _take(client: ControlClient, arguments: argparse.Namespace) -> int:
    answer = client.request("POST", "/v1/introductions/taken", {"card": _read(arguments.file)})
    if arguments.json:
        say(dumps(answer))
    else:
        say(f"{_name(answer['uri'])} is introduced by {_name(answer['introducer'])}.")
    return 0


def _read(file: Path) -> str:
    try:
        raw = sys.stdin.buffer.read(MAX_CARD_FILE + 1) if str(file) == "-" else file.read_bytes()
        if len(raw) > MAX_CARD_FILE:
            give_up(f"{file} is too large for an introduction.", USAGE_ERROR)
        return raw.decode()
    except OSError as error:
        give_up(f"{file} cannot be read ({error.strerror}).", USAGE_ERROR)
    except UnicodeDecodeError:
        give_up(f"{file} is not a text.", USAGE_ERROR)


def _list(client: ControlClient, arguments: argparse.Namespace) -> int:
    answer = client.request("GET", "/v1/introductions")
    if arguments.json:
        say(dumps(answer))
        return 0
    for each in answer["introductions"]:
        basis = "verified in person" if each["verified"] else "known from calls"
        say(f"{_name(each['uri'])} by {_name(each['introducer'])} ({basis})  {spaced(each['fingerprint'])}")
    if not answer["introductions"]:
        say("Nobody is introduced to you now.")
    return 0


def _key(client: ControlClient, arguments: argparse.Namespace) -> int:
    answer = client.request("GET", "/v1/key")
    if arguments.json:
        say(dumps(answer))
    elif arguments.qr:
        say(_code(answer["fingerprint"]))
    else:
        say(answer["key"].rstrip())
    return 0


def _code(fingerprint: str) -> str:
    import segno

    drawn = io.StringIO()
    segno.make(f"OPENPGP4FPR:{fingerprint}", error="m", micro=False).terminal(out=drawn, compact=True)
    return f"{drawn.getvalue().rstrip()}\n{spaced(fingerprint)}"


def _name(uri: str) -> str:
    return uri.removeprefix("sip:")


if __name__ == "__main__":
    main()
