"""One dialog, one session: the o= line of what a phone is sent, when its other party changes (RFC 8866 5.2).

The first description is sent as it is. Of what follows, a line with the same session and no lower version
is left alone; another party's is rewritten to the first one's name, its version counted up (RFC 3264 8).
"""

from __future__ import annotations

import re

_LINE = re.compile(rb"^o=(\S+) ([0-9]{1,20}) ([0-9]{1,20}) (IN IP[46] \S+)[ \t]*(?=\r?$)", re.MULTILINE)


class Origin:
    """The origin of what one side of a dialog has said so far."""

    def __init__(self) -> None:
        self._session: tuple[bytes, bytes, bytes] | None = None
        self._version = 0
        self._given = b""
        self.last = b""  # as it was sent

    def follow(self, sdp: bytes) -> bytes:
        """Return a description as the next one of this dialog; one without a usable o= line as it is."""
        found = _LINE.search(sdp)
        if found is None:
            self._given = self.last = sdp
            return sdp
        if sdp == self._given:
            return self.last
        session, version = (found[1], found[2], found[4]), int(found[3])
        if self._session is None or (session == self._session and version >= self._version):
            self._session, self._version = session, version
            written = sdp
        else:
            self._version += 1
            user, number, address = self._session
            line = b"o=%b %b %d %b" % (user, number, self._version, address)
            written = sdp[: found.start()] + line + sdp[found.end() :]
        self._given, self.last = sdp, written
        return written


def unheld(sdp: bytes) -> bytes:
    """Return a description without its directions: what its owner would say if nobody were on hold."""
    return re.sub(rb"^a=(?:sendonly|recvonly|inactive|sendrecv)[ \t]*\r?\n", b"", sdp, flags=re.MULTILINE)
