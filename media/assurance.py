"""From keys to trust: runs the confirmation, opens the gate for media, and gives up when it does not come.

Media to a pinned peer stays muted until the peer's signature is in. To others it flows as soon as there are
keys; still, a node that does not even agree on the words in time is not one that can be talked to safely.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from .aiortc_adapter.dtls import CallCertificate, DtlsSession
from .bridge import Gate
from .confirm import Confirmer
from .errors import MediaError
from .events import MediaConnected, MediaEvent, Secured
from .jobs import Job
from .mesh_leg import MeshLeg
from .parties import Parties
from .ports import Endorser, Retained
from .protocol.pgp_words import words
from .protocol.transcript import EXPORTER_BYTES, EXPORTER_LABEL, Agreement, Context, Role, Transcript

CONFIRM_SECONDS = 8.0
"""From keys to the peer's signature."""


@dataclass(frozen=True)
class CallIdentity:
    """What is fixed from the start: which call, which side of it we are, who takes part."""

    call_id: str
    role: Role
    parties: Parties


class Assurance:
    """The trust side of one call's media. `gate` is shared with the bridges; `passable` when there are keys, too."""

    def __init__(
        self,
        identity: CallIdentity,
        certificate: CallCertificate,
        endorser: Endorser,
        *,
        mute_until_confirmed: bool,
        start: Callable[[Job], None],
        on_event: Callable[[MediaEvent], None],
        retained: Retained | None = None,
    ) -> None:
        self.gate = Gate(is_open=not mute_until_confirmed)
        self.passable = asyncio.Event()
        self._identity = identity
        self._certificate = certificate
        self._endorser = endorser
        self._mute = mute_until_confirmed
        self._retained = retained
        self._start = start
        self._on_event = on_event
        self._first: MeshLeg | None = None
        self._agreed: tuple[MeshLeg, Agreement] | None = None
        self._told: bool | None = None

    def keyed(self, leg: MeshLeg) -> None:
        """A leg has keys. The caller confirms over the first one; the callee listens on each."""
        first = self._first is None
        if first:
            self._first = leg
            self._on_event(MediaConnected(self._identity.call_id, leg.keyed_after * 1_000))
            self._start(self._deadline)
        if self.gate.is_open:
            self.passable.set()
        if first or self._identity.role == "callee":
            self._start(self._confirmer(leg).run)

    def _confirmer(self, leg: MeshLeg) -> Confirmer:
        assert leg.session is not None
        return Confirmer(
            leg,
            self._identity.role,
            self._transcript(leg, leg.session),
            self._endorser,
            on_agreed=lambda agreement: self._agree(leg, agreement),
            on_confirmed=lambda signed: self._confirm(leg, signed=signed),
            retained=self._retained,
        )

    def _transcript(self, leg: MeshLeg, session: DtlsSession) -> Transcript:
        assert leg.remote is not None
        parties, is_caller = self._identity.parties, self._identity.role == "caller"
        own, peers = self._certificate.fingerprint, leg.remote.fingerprint
        context = Context(
            call_id=self._identity.call_id.encode(),
            caller_fingerprint=parties.caller_fingerprint.encode(),
            callee_fingerprint=parties.callee_fingerprint.encode(),
            caller_node_id=parties.caller_node_id,
            callee_node_id=parties.callee_node_id,
            caller_dtls_fingerprint=own if is_caller else peers,
            callee_dtls_fingerprint=peers if is_caller else own,
            dtls_server=b"caller",
            srtp_profile=session.profile.encode(),
            dtls_version=session.version.encode(),
            cipher=session.cipher.encode(),
        ).digest()
        return Transcript.of(context, session.export(EXPORTER_LABEL, context, EXPORTER_BYTES))

    def _agree(self, leg: MeshLeg, agreement: Agreement) -> None:
        if self._agreed is not None:
            raise MediaError(403, "The other node confirms the call twice")
        self._agreed = leg, agreement

    def _confirm(self, leg: MeshLeg, *, signed: bool) -> None:
        if not signed and self._mute:
            raise MediaError(403, "The other side did not sign the call, as it has done before: it was ended")
        if signed:
            self.gate.is_open = True
            self.passable.set()
        self._tell(leg, signed=signed)

    def _tell(self, leg: MeshLeg, *, signed: bool) -> None:
        self._told = signed
        assert self._agreed is not None
        assert leg.session is not None
        first, second, third, fourth = words(self._agreed[1].short_string)
        self._on_event(
            Secured(
                call_id=self._identity.call_id,
                words=(first, second, third, fourth),
                session_hash=self._agreed[1].session_hash,
                signed=signed,
                dtls_version=leg.session.version,
                cipher=leg.session.cipher,
                profile=leg.session.profile,
                elapsed_ms=(asyncio.get_running_loop().time() - leg.keyed_at) * 1_000,
            )
        )

    async def _deadline(self) -> None:
        await asyncio.sleep(CONFIRM_SECONDS)
        if self._told is not None:
            return
        if self._mute or self._agreed is None:
            raise MediaError(403, "The other side did not confirm the call in time, so it was ended")
        self._tell(self._agreed[0], signed=False)
