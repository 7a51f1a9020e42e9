"""Speak to a running node. Standard library only: `fc-lookup` must start at once."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from freecall.errors import FreeCallError

from . import socket_path


class NodeNotRunning(FreeCallError):
    """No node answers on the control socket of this data directory."""

    def __init__(self, data: Path) -> None:
        super().__init__(f"No node runs on {data}. Start one with ./scripts/run --data {data}")


class NodeRefused(FreeCallError):
    """The node answered, but with an error: its sentence is the message, ``status`` the HTTP status."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self._path))


class ControlClient:
    """One request to the node at a time."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the JSON object that the node answers.

        Raises:
            NodeNotRunning: nobody listens.
            NodeRefused: the node answered with an error.
        """
        with self._open(method, path, body) as response:
            answer: dict[str, Any] = json.loads(response.read())
        return answer

    def stream(self, method: str, path: str, body: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Yield JSON objects, one a line, as the node sends them. Raises as `request` does."""
        with self._open(method, path, body) as response:
            for line in response:
                yield json.loads(line)

    @contextmanager
    def _open(
        self, method: str, path: str, body: dict[str, Any] | None
    ) -> Iterator[http.client.HTTPResponse]:
        payload = None if body is None else json.dumps(body).encode()
        with closing(_UnixConnection(socket_path(self._data))) as connection:
            try:
                connection.request(method, path, payload, {"Content-Type": "application/json"})
                response = connection.getresponse()
            except (
                FileNotFoundError,
                ConnectionRefusedError,
                ConnectionResetError,
                http.client.RemoteDisconnected,
            ):
                raise NodeNotRunning(self._data) from None
            with response:
                if response.status >= 400:
                    raise NodeRefused(response.status, _sentence(response))
                yield response


def _sentence(response: http.client.HTTPResponse) -> str:
    text = response.read().decode(errors="replace")
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return text.strip() or response.reason
