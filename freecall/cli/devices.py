"""fc-devices: phones on the LAN, each with a secret of its own."""

import argparse
import os
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from freecall.control.client import ControlClient
from freecall.narrate import dumps, spaced

from . import give_up, parser, say
from ._asking import REFUSED, asking

EXAMPLES = """\
Examples:

  fc-devices                          the paired phones, and when each was there last
  fc-devices add kitchen              pairs a phone on the LAN: shows its account, once
  fc-devices add kitchen --write DIR  the same, into files for Linphone and baresip
  fc-devices add hall --srtp dtls     for a phone whose encryption is DTLS-SRTP and not SDES
  fc-devices add old --plain          for a phone that can do neither TLS nor SRTP: its calls are not encrypted up to
                                      the node, and it registers where [phones] sip listens
  fc-devices revoke kitchen           its calls and registrations end at once
  fc-devices certificate              what the phones meet, to compare or to install there

While no phone is paired, nothing listens for them on the LAN.

Exit status: 0 done, 1 refused, 2 usage, 3 no node runs.
"""
SRTP = {"sdes": "SRTP", "dtls": "SRTP by DTLS"}


def main() -> None:
    """Run the command; exit status as `EXAMPLES` says."""
    arguments = _arguments()
    with asking(arguments.data) as client:
        arguments.run(client, arguments)


def _arguments() -> argparse.Namespace:
    command = parser("fc-devices", "Pair phones on the LAN, and take that back.")
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.epilog = EXAMPLES
    command.set_defaults(run=_list, json=False)
    verbs = command.add_subparsers(metavar="COMMAND")
    listing = verbs.add_parser("list", help="the paired phones (the default)")
    listing.set_defaults(run=_list)
    add = verbs.add_parser("add", help="pair a phone; its secret is shown once")
    add.add_argument("name", metavar="NAME", help="what you call it, such as kitchen")
    how = add.add_mutually_exclusive_group()
    how.add_argument("--plain", action="store_true", help="let it come without TLS and SRTP")
    how.add_argument(
        "--srtp", choices=("sdes", "dtls"), default="sdes", help="whence the keys of its SRTP come (sdes)"
    )
    add.add_argument("--write", metavar="DIR", type=Path, help="write files that set up the phone, here")
    add.set_defaults(run=_add)
    revoke = verbs.add_parser("revoke", help="end its calls, and let it in no more")
    revoke.add_argument("name", metavar="NAME")
    revoke.set_defaults(run=_revoke)
    certificate = verbs.add_parser("certificate", help="print the certificate that paired phones meet")
    certificate.set_defaults(run=_certificate)
    for each in (listing, add, revoke, certificate):
        each.add_argument("--json", action="store_true", help="print one JSON object")
    return command.parse_args()


def _list(client: ControlClient, arguments: argparse.Namespace) -> None:
    answer = client.request("GET", "/v1/devices")
    if arguments.json:
        say(dumps(answer))
        return
    for device in answer["devices"]:
        say(described(device))
    if not answer["devices"]:
        say("No phone is paired. fc-devices add kitchen pairs one.")


def described(device: dict[str, Any]) -> str:
    """Return a device as a person reads it."""
    how = "NOT ENCRYPTED" if device["plain"] else f"TLS, {SRTP[device['srtp']]}"
    seen = f"seen {_when(device['seen'])}" if device["seen"] else "not seen since the start"
    return f"{device['name']}  {how}, {seen}, paired {_when(device['since'])}"


def _when(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M}"


def _add(client: ControlClient, arguments: argparse.Namespace) -> None:
    folder: Path | None = arguments.write
    if folder is not None and not folder.is_dir():
        give_up(f"{folder} is no folder.", REFUSED)
    order = {"name": arguments.name, "plain": arguments.plain, "srtp": arguments.srtp}
    device = client.request("POST", "/v1/devices", order)["device"]
    account = device["account"]
    if folder is not None:
        _write(folder, device["name"], account)
    if arguments.json:
        say(dumps(device))
        return
    say(f"{device['name']} is paired. Set up the phone with this, which is shown only now:\n")
    for label, value in (
        ("server", f"{account['address']}  ({account['transport'].upper()})"),
        ("address", f"sip:{account['username']}@{account['domain']}"),
        ("login", account["login"]),
        ("password", account["secret"]),
    ):
        say(f"  {label:<10}{value}")
    if device["plain"]:
        say(
            "\nIts calls are NOT ENCRYPTED between the phone and this node: anybody on that network can listen."
        )
    else:
        say(f"  media     SRTP ({device['srtp'].upper()}), mandatory")
        say(
            f"\nThe phone meets a certificate with this fingerprint (SHA-256):\n  {spaced(account['fingerprint'])}"
        )


def _write(folder: Path, name: str, account: dict[str, Any]) -> None:
    """Write what sets up a phone, readable by the user alone."""
    files = {
        "Linphone": f"{name}.linphone.xml",
        "baresip": f"{name}.baresip-accounts",
        "Twinkle": f"{name}.twinkle.cfg",
    }
    contents = {files[phone]: text for phone, text in account["files"].items()}
    if "pem" in account:
        contents[f"{name}.certificate.pem"] = account["pem"]
    for file, text in contents.items():
        descriptor = os.open(folder / file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as written:
            written.write(text)


def _revoke(client: ControlClient, arguments: argparse.Namespace) -> None:
    answer = client.request("DELETE", "/v1/devices?" + urlencode({"name": arguments.name}))
    say(dumps(answer) if arguments.json else f"{arguments.name} is let in no more.")


def _certificate(client: ControlClient, arguments: argparse.Namespace) -> None:
    answer = client.request("GET", "/v1/devices/certificate")
    say(dumps(answer) if arguments.json else answer["pem"].strip())


if __name__ == "__main__":
    main()
