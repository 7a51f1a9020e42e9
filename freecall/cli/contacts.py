"""fc-contacts: the people whom the user knows."""

import argparse
import io
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from freecall.control.client import ControlClient, NodeRefused
from freecall.narrate import dumps, spaced
from freecall.vcard import split

from . import USAGE_ERROR, give_up, parser, say
from ._asking import REFUSED, asking

MAX_FILE_BYTES = 16 * 1024 * 1024
EXAMPLES = """\
Examples:

  fc-contacts                                     whom you know, and how well
  fc-contacts add bob@mesh --name "Bob Miller"    keeps the key that bob has now; of a known person changes the name
  fc-contacts pin bob@mesh FINGERPRINT            the same, of several bobs the one with this key
  fc-contacts verify bob@mesh --words "…"         the four words that he read out to you; or --fingerprint
  fc-contacts block bob@mesh                      he does not ring any more; unblock takes it back
  fc-contacts remove bob@mesh                     forgets him; the next call is a first one
  fc-contacts export people.vcf                   address cards (vCard), with keys; - prints them
  fc-contacts import people.vcf                   takes the cards of people with a mesh address
  fc-contacts card --qr                           your own card, to give away

Exit status: 0 done, 1 refused (of an import: some cards were not taken), 2 usage, 3 no node runs.
"""


def main() -> None:
    """Run the command; exit status as `EXAMPLES` says."""
    arguments = _arguments()
    status = 0
    with asking(arguments.data) as client:
        status = arguments.run(client, arguments)
    raise SystemExit(status)


def _arguments() -> argparse.Namespace:
    command = parser("fc-contacts", "Show and change the people whom you know.")
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.epilog = EXAMPLES
    command.set_defaults(run=_list, json=False)
    verbs = command.add_subparsers(metavar="COMMAND")

    def verb(name: str, run: Any, help_text: str, *, whom: bool = True) -> argparse.ArgumentParser:
        one = verbs.add_parser(name, help=help_text)
        if whom:
            one.add_argument("uri", metavar="NAME", help="such as bob@mesh")
        one.add_argument("--json", action="store_true", help="print one JSON object")
        one.set_defaults(run=run)
        return one

    verb("list", _list, "whom you know (the default)", whom=False)
    add = verb("add", _add, "keep the key that somebody has now, or change a name or note")
    pin = verb("pin", _add, "keep the key with this fingerprint")
    pin.add_argument("fingerprint", metavar="FINGERPRINT", help="as fc-lookup shows it, or its owner")
    for each in (add, pin):
        each.add_argument("--name", metavar="TEXT", help="what you call them")
        each.add_argument("--note", metavar="TEXT", help="what you want to remember")
    verify = verb("verify", _verify, "mark somebody as verified in person")
    how = verify.add_mutually_exclusive_group(required=True)
    how.add_argument("--words", metavar="WORDS", help="the four words that they read out to you")
    how.add_argument(
        "--fingerprint", metavar="KEY", help="the fingerprint that they showed, or what their QR code says"
    )
    verb("block", _block, "let somebody ring no more, and write no more")
    verb("unblock", _unblock, "take that back")
    verb("remove", _remove, "forget somebody, with the key")
    export = verb("export", _export, "write all as address cards (vCard)", whom=False)
    taking = verb("import", _import, "take the people of a file of address cards", whom=False)
    for each in (export, taking):
        each.add_argument("file", metavar="FILE", type=Path, help="- is standard output or input")
    card = verb("card", _card, "your own address card", whom=False)
    card.add_argument(
        "--qr", action="store_true", help="as a QR code for a phone: the address and the fingerprint"
    )
    return command.parse_args()


def _list(client: ControlClient, arguments: argparse.Namespace) -> int:
    answer = client.request("GET", "/v1/contacts")
    if arguments.json:
        say(dumps(answer))
        return 0
    for contact in answer["contacts"]:
        say(described(contact))
    if not answer["contacts"]:
        say(
            "You know nobody yet. Whom you call is known from then on; fc-contacts add bob@mesh does it without."
        )
    return 0


def described(contact: dict[str, Any]) -> str:
    """Return a contact as a person reads it."""
    address = contact["uri"].removeprefix("sip:")
    known = "BLOCKED" if contact["blocked"] else "verified" if contact["verified"] else "key kept"
    name = f"{contact['name']}, " if contact["name"] else ""
    note = "".join(f"\n    {line}" for line in contact["note"].splitlines())
    return f"{name}{address} ({known})  {spaced(contact['fingerprint'])}{note}"


def _add(client: ControlClient, arguments: argparse.Namespace) -> int:
    order = {"uri": arguments.uri, "name": arguments.name, "note": arguments.note}
    order["fingerprint"] = getattr(arguments, "fingerprint", None)
    answer = client.request(
        "POST", "/v1/contacts", {key: each for key, each in order.items() if each is not None}
    )
    say(dumps(answer) if arguments.json else described(answer["contact"]))
    return 0


def _verify(client: ControlClient, arguments: argparse.Namespace) -> int:
    by = "words" if arguments.words is not None else "fingerprint"
    answer = client.request("POST", "/v1/trust/verified", {"uri": arguments.uri, by: getattr(arguments, by)})
    say(dumps(answer) if arguments.json else f"{_name(answer)} is verified now.")
    return 0


def _block(client: ControlClient, arguments: argparse.Namespace) -> int:
    answer = client.request("POST", "/v1/blocked", {"who": arguments.uri})
    say(dumps(answer) if arguments.json else f"Blocked: {spaced(answer['blocked']['fingerprint'])}")
    return 0


def _unblock(client: ControlClient, arguments: argparse.Namespace) -> int:
    answer = client.request("DELETE", "/v1/blocked?" + urlencode({"who": arguments.uri}))
    say(dumps(answer) if arguments.json else "Not blocked any more.")
    return 0


def _remove(client: ControlClient, arguments: argparse.Namespace) -> int:
    answer = client.request("DELETE", "/v1/contacts?" + urlencode({"uri": arguments.uri}))
    say(dumps(answer) if arguments.json else "Forgotten. The next call with that name is a first one.")
    return 0


def _export(client: ControlClient, arguments: argparse.Namespace) -> int:
    cards = client.request("GET", "/v1/contacts/cards")["cards"]
    if str(arguments.file) == "-":
        sys.stdout.write(cards)
        return 0
    try:
        arguments.file.write_text(cards, encoding="utf-8", newline="")
    except OSError as error:
        give_up(f"{arguments.file} cannot be written ({error.strerror}).", USAGE_ERROR)
    count = sum(1 for _ in split(cards))
    say(dumps({"exported": count}) if arguments.json else f"{_people(count)} written to {arguments.file}.")
    return 0


def _import(client: ControlClient, arguments: argparse.Namespace) -> int:
    taken, refused = [], []
    for card in split(_read(arguments.file)):
        try:
            taken.append(client.request("POST", "/v1/contacts/taken", {"card": card})["contact"])
        except NodeRefused as error:
            refused.append(str(error))
    if not taken and not refused:
        give_up(f"There is no address card (vCard) in {arguments.file}.", REFUSED)
    if arguments.json:
        say(dumps({"taken": taken, "refused": refused}))
    else:
        for each in (*map(described, taken), *refused):
            say(each)
        say(f"{_people(len(taken))} taken, {len(refused)} not.")
    return REFUSED if refused else 0


def _read(file: Path) -> str:
    try:
        raw = sys.stdin.buffer.read(MAX_FILE_BYTES + 1) if str(file) == "-" else file.read_bytes()
    except OSError as error:
        give_up(f"{file} cannot be read ({error.strerror}).", USAGE_ERROR)
    if len(raw) > MAX_FILE_BYTES:
        give_up(f"{file} is too large for a file of address cards.", USAGE_ERROR)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        give_up(f"{file} is not a text in UTF-8.", USAGE_ERROR)


def _card(client: ControlClient, arguments: argparse.Namespace) -> int:
    answer = client.request("GET", "/v1/card")
    if arguments.json:
        say(dumps(answer))
    elif arguments.qr:
        say(_code(answer["short"]))
    else:
        sys.stdout.write(answer["card"])
    return 0


def _code(card: str) -> str:
    import segno

    drawn = io.StringIO()
    segno.make(card, error="l", micro=False).terminal(out=drawn, compact=True)
    return drawn.getvalue().rstrip()


def _name(answer: dict[str, Any]) -> str:
    return str(answer["uri"]).removeprefix("sip:")


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"


if __name__ == "__main__":
    main()
