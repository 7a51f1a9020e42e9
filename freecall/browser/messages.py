"""What the page and its node say to each other over the WebSocket: one flat JSON object in each message.

docs/control-api.md lists them. What the page says is read strictly, for any program could have taken its place.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

MAX_BYTES = 64 * 1024
MAX_URI = 512
_ID = re.compile(r"[np][0-9]{1,9}")  # n: came in, named by the node; p: begun by the page
FIELDS = {
    "call": ("uri", "sdp"),
    "answer": ("sdp",),
    "change": ("sdp",),
    "decline": (),
    "hang_up": (),
}


class BadMessage(Exception):
    """The page has said something that this node does not understand."""


@dataclass(frozen=True)
class Wish:
    """What the page wants done with the call `id`; `uri` and `sdp` where they belong to it."""

    do: str
    id: str
    uri: str = ""
    sdp: bytes = b""

    @classmethod
    def parse(cls, text: str) -> "Wish":
        """Read one message; raise `BadMessage`."""
        try:
            said: Any = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadMessage("not JSON") from error
        if not isinstance(said, dict) or not isinstance(said.get("do"), str) or said["do"] not in FIELDS:
            raise BadMessage("nothing that can be done")
        wanted = ("do", "id", *FIELDS[said["do"]])
        if set(said) != set(wanted) or not all(isinstance(value, str) for value in said.values()):
            raise BadMessage("other fields than belong to it")
        begins_well = said["do"] != "call" or said["id"].startswith("p")
        if not _ID.fullmatch(said["id"]) or not begins_well or len(said.get("uri", "")) > MAX_URI:
            raise BadMessage("a field that is malformed")
        sdp = said.get("sdp", "")
        if not sdp.isascii():
            raise BadMessage("a field that is malformed")
        return cls(said["do"], said["id"], said.get("uri", ""), sdp.encode("ascii"))
