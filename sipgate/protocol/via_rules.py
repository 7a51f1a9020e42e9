"""What servers note in the top Via and where responses go (RFC 3261 18.2, RFC 3581)."""

from __future__ import annotations

from .message import Request
from .via import Via

DEFAULT_PORT = {"UDP": 5060, "TCP": 5060, "TLS": 5061}


def note_source(request: Request, host: str, port: int) -> None:
    """Note in the top Via where a request came from: `received` (18.2.1), and `rport` if it is asked for.

    What the sender wrote there itself is never believed.
    """
    via = request.top_via
    parameters = dict(via.parameters)
    parameters.pop("received", None)
    if "rport" in parameters:
        parameters["rport"] = str(port)
    if "rport" in parameters or via.host.strip("[]").lower() != host.lower():
        parameters["received"] = host
    if parameters != via.parameters:
        request.replace_top_via(Via(via.transport, via.host, via.port, parameters))


def response_port(via: Via, port: int) -> int:
    """Return the port that a response over UDP goes to, at the address that the request came from.

    `port` is where the request came from. `maddr` is not honoured: nobody else gets our responses.
    """
    if "rport" in via.parameters:
        return port
    return via.port or DEFAULT_PORT.get(via.transport, 5060)
