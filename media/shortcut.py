"""One direction of a bridge on the short way: from socket to socket, while there is nothing to decide."""

from .sockets import CarryingSocket, Flow


class Shortcut:
    """At most one flow, on the socket that it comes in by. While it is on, its SRTP session is the socket's."""

    def __init__(self) -> None:
        self._on: CarryingSocket | None = None
        self._ssrc = b""

    def begin(self, socket: object, flow: Flow) -> bool:
        """Let that flow go the short way, now or after a few packets more; False where the socket knows none."""
        self.end()
        if not isinstance(socket, CarryingSocket) or not socket.carry(flow):
            return False
        self._on, self._ssrc = socket, flow.ssrc
        return True

    def look(self) -> None:
        """Have the flow told what has passed."""
        if self._on is not None:
            self._on.look()

    def end(self) -> bytes | None:
        """Take the session back; return the SSRC that went the short way, if one did."""
        if self._on is None:
            return None
        self._on.halt()
        self._on = None
        return self._ssrc
