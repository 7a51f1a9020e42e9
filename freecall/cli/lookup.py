"""fc-lookup: what the mesh says about a name, with the evidence.

Asks the running node; where none runs, joins for a moment as a client of the DHT. Imports nothing heavy.
"""

import argparse
from typing import Any
from urllib.parse import urlencode

from freecall.config import default_data_directory
from freecall.control.client import ControlClient, NodeNotRunning, NodeRefused
from freecall.errors import FreeCallError
from freecall.mesh_uri import canonical
from freecall.narrate import as_text, dumps

from . import USAGE_ERROR, complain, give_up, parser, say

FOUND, NOT_FOUND, NOBODY_TO_ASK, CONFLICT = 0, 1, 3, 4


def main() -> None:
    """Run the command. Exit status: 0 found, 1 not found, 2 usage, 3 nobody to ask, 4 conflict with a pinned key."""
    arguments = _arguments()
    try:
        uri = canonical(arguments.uri)
        evidence = _evidence(uri, arguments)
    except FreeCallError as error:
        give_up(str(error), NOBODY_TO_ASK if isinstance(error, NodeRefused | NobodyToAsk) else USAGE_ERROR)
    if arguments.json:
        say(dumps(evidence))
    else:
        say(as_text(evidence))
    if evidence["conflict"]:
        raise SystemExit(CONFLICT)
    raise SystemExit(FOUND if evidence["found"] else NOT_FOUND)


class NobodyToAsk(FreeCallError):
    """No node runs here, and no node of the mesh is known or answers."""

    def __init__(self) -> None:
        super().__init__(
            "Nobody to ask: no node runs here and no other node answers. Start one with ./scripts/run, "
            "or name one with --bootstrap HOST:PORT."
        )


def _arguments() -> argparse.Namespace:
    command = parser("fc-lookup", "Show who stands behind a name on the mesh.")
    command.add_argument("uri", metavar="URI", help="the name, such as bob@mesh")
    command.add_argument(
        "--bootstrap",
        metavar="HOST:PORT",
        action="append",
        default=[],
        help="a node to ask where none runs here (may be given several times)",
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    return command.parse_args()


def _evidence(uri: str, arguments: argparse.Namespace) -> dict[str, Any]:
    data = arguments.data or default_data_directory()
    try:
        return ControlClient(data).request("GET", "/v1/lookup?" + urlencode({"uri": uri}))
    except NodeNotRunning:
        from freecall.client_lookup import lookup_as_client

        if not arguments.json:
            complain("No node runs here: asking the mesh as a guest.")
        evidence = lookup_as_client(uri, data, arguments.bootstrap)
        if evidence is None:
            raise NobodyToAsk from None
        return evidence


if __name__ == "__main__":
    main()
