"""The Via header (RFC 3261 20.42, RFC 3581)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from .errors import SipError
from .scanner import REMEMBERED, WSP, bad, format_parameters, is_token, parse_parameters
from .uri import parse_host_port, parse_port


@dataclass(frozen=True)
class Via:
    """One hop: transport in upper case, sent-by host and port, parameters."""

    transport: str
    host: str
    port: int | None = None
    parameters: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "Via":
        """Read one Via value.

        Raises:
            SipError: malformed.
        """
        return _parse(text)

    @property
    def branch(self) -> str | None:
        """The transaction's name."""
        return self.parameters.get("branch")

    @property
    def received(self) -> str | None:
        """The address that the request came from, if a server noted it."""
        return self.parameters.get("received")

    @property
    def rport(self) -> int | None:
        """The port that the request came from, if a server noted it."""
        value = self.parameters.get("rport")
        try:
            return parse_port(value or "")
        except SipError:
            return None

    def with_parameters(self, **parameters: str | None) -> "Via":
        """Return the Via with these parameters set."""
        return replace(self, parameters={**self.parameters, **parameters})

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"SIP/2.0/{self.transport} {self.host}{port}{format_parameters(self.parameters)}"


@lru_cache(maxsize=REMEMBERED)
def _parse(text: str) -> Via:
    head, semicolon, parameters = text.partition(";")
    if head.startswith("SIP/2.0/"):
        rest = head[8:].strip(WSP)
    else:
        parts = [part.strip(WSP) for part in head.split("/", 2)]
        if len(parts) != 3 or parts[0].upper() != "SIP" or parts[1] != "2.0":
            raise bad("Via")
        rest = parts[2]
    transport, _, sent_by = rest.replace("\t", " ").partition(" ")
    if not is_token(transport) or not sent_by:
        raise bad("Via")
    host, port = _parse_sent_by(sent_by.strip(WSP))
    return Via(transport.upper(), host, port, parse_parameters(semicolon + parameters, "Via"))


def _parse_sent_by(text: str) -> tuple[str, int | None]:
    """Read ``host[:port]``; around this colon, and only there, white space may stand."""
    host, colon, port = text.rpartition(":")
    if colon and "]" not in port and (host[-1:] in WSP or port[:1] in WSP):
        text = f"{host.rstrip(WSP)}:{port.lstrip(WSP)}"
    return parse_host_port(text)
