"""Digest authentication of our own phones (RFC 3261 22, RFC 8760)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .ports import Accounts, LocalUser, Refusal
from .protocol import digest
from .protocol.digest import Credentials, Nonces, NonceState
from .protocol.message import Request, Response, reply
from .transport import Flow

_HEADERS = {401: ("Authorization", "WWW-Authenticate"), 407: ("Proxy-Authorization", "Proxy-Authenticate")}

WRONG = "The user name or the secret of this phone is wrong"
NOT_PAIRED = "This phone is not paired: it needs an account of its own, from fc-devices"
NOT_PLAIN = "This phone is paired for encrypted connections: let it use TLS"


class Challenged(Exception):
    """The phone must prove itself first: `headers` go into the response."""

    def __init__(self, status: int, headers: tuple[tuple[str, str], ...]) -> None:
        super().__init__(str(status))
        self.status = status
        self.headers = headers


@dataclass
class Authenticator:
    """Tells which of our users a phone belongs to. `clock` is monotonic, as nonces live for minutes."""

    accounts: Accounts
    nonces: Nonces
    realm: str
    clock: Callable[[], float]

    def user_of(self, request: Request, status: int, flow: Flow) -> LocalUser:
        """Return the user who sent the request on this flow; `status` is 401 or 407.

        Raise `Challenged` without usable credentials, `Refusal` 403 with wrong ones. The digest-uri is taken
        as it comes: programs put in it what they like, and who could change the request between a phone and
        its node could change all of it but the method.
        """
        credentials = self._credentials(request, _HEADERS[status][0])
        if credentials is None:
            raise self._challenge(request, status)
        user = self.accounts.by_username(credentials.username)
        if user is None or credentials.algorithm not in user.algorithms:
            raise Refusal(403, WRONG)
        if not digest.verify(credentials, request.method, user.secret):
            raise Refusal(403, WRONG)
        if self.nonces.check(credentials.nonce, credentials.count, self.clock()) is not NonceState.OK:
            raise self._challenge(request, status, stale=True)
        if flow.transport == "tls" and not user.device:
            raise Refusal(403, NOT_PAIRED)
        if flow.transport != "tls" and not user.may_be_plain:
            raise Refusal(403, NOT_PLAIN)
        return user

    def _credentials(self, request: Request, header: str) -> Credentials | None:
        """Return the Digest credentials for our realm; a phone may send others along."""
        for value in request.headers.get_all(header):
            if value[:7].lower() != "digest ":
                continue  # another scheme: as if it were not there (RFC 4475 3.3.6)
            credentials = Credentials.parse(value)
            if credentials.realm == self.realm:
                return credentials
        return None

    def _challenge(self, request: Request, status: int, *, stale: bool = False) -> Challenged:
        user = self.accounts.by_username(request.from_.uri.user or "")
        name = _HEADERS[status][1]
        now = self.clock()
        return Challenged(
            status,
            tuple(
                (name, digest.challenge(self.realm, self.nonces.issue(now), algorithm, stale=stale))
                for algorithm in (user.algorithms if user else ("MD5",))
            ),
        )


def challenge(request: Request, challenged: Challenged, tag: str) -> Response:
    """Return the 401 or 407."""
    response = reply(request, challenged.status, tag=tag)
    for name, value in challenged.headers:
        response.headers.add(name, value)
    return response
