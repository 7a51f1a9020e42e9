"""fc-call: place a call without a phone, from the running node."""

import argparse
from pathlib import Path
from typing import Any

from freecall.config import default_data_directory
from freecall.control.client import ControlClient, NodeNotRunning, NodeRefused
from freecall.errors import FreeCallError
from freecall.events import Event
from freecall.mesh_uri import canonical
from freecall.narrate import Narrator, dumps

from . import USAGE_ERROR, complain, give_up, parser, say

NOT_SECURED, NO_NODE = 1, 3


def main() -> None:
    """Run the command; exit status 0 only if the call was answered and its confirmation was signed."""
    arguments = _arguments()
    data = arguments.data or default_data_directory()
    order = {
        "uri": arguments.uri,
        "play": _absolute(arguments.play),
        "record": _absolute(arguments.record),
        "seconds": arguments.seconds,
        "anonymous": arguments.anonymous,
    }
    try:
        canonical(arguments.uri)
        result = _place(ControlClient(data), order, quiet=arguments.json)
    except NodeNotRunning as error:
        give_up(str(error), NO_NODE)
    except NodeRefused as error:
        give_up(str(error), NOT_SECURED)
    except FreeCallError as error:
        give_up(str(error), USAGE_ERROR)
    except KeyboardInterrupt:
        give_up("Hung up.", NOT_SECURED)
    if arguments.json:
        say(dumps(result))
    else:
        _summary(result)
    raise SystemExit(0 if result["ok"] else NOT_SECURED)


def _arguments() -> argparse.Namespace:
    command = parser("fc-call", "Call somebody from the running node, without a phone.")
    command.add_argument("uri", metavar="URI", help="whom to call, such as echo@mesh")
    command.add_argument("--play", metavar="WAV", type=Path, help="play this file (default: a quiet tone)")
    command.add_argument("--record", metavar="WAV", type=Path, help="record what the other side says")
    command.add_argument(
        "--seconds", metavar="N", type=float, help="how long to talk once the call is secured (default 5)"
    )
    command.add_argument(
        "--anonymous",
        action=argparse.BooleanOptionalAction,
        help="do not tell whom you call who you are (default: as in fc-calls settings)",
    )
    command.add_argument("--json", action="store_true", help="print one JSON object at the end")
    return command.parse_args()


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


def _place(client: ControlClient, order: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    narrator = Narrator(say)
    for item in client.stream("POST", "/v1/calls", order):
        if "result" in item:
            result: dict[str, Any] = item["result"]
            return result
        if not quiet:
            fields = {key: value for key, value in item.items() if key not in ("event", "at")}
            narrator(Event(item["event"], item["at"], fields))
    raise FreeCallError("The node stopped before the call was over.")


def _summary(result: dict[str, Any]) -> None:
    if result["ok"]:
        say(
            f"Verified call of {result['seconds']:g} s: {result['packets_sent']} packets sent, "
            f"{result['packets_received']} heard. Ringing after {result['ringing_ms']} ms, "
            f"secured after {result['secured_ms']} ms."
        )
    elif result["status"] == 200:
        complain(f"The call was answered but not verified: {result['reason']}")


if __name__ == "__main__":
    main()
