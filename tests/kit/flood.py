"""Callers without a node: signed INVITEs straight onto the TLS port of one, from keys made for it."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pysequoia
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sipgate.calls.content import first_offer
from sipgate.identity import NodeIdentity
from sipgate.ports import LocalUser
from sipgate.protocol.message import Request, Response, parse_message
from sipgate.protocol.request_copies import ack_of_failure
from sipgate.tls import client_context
from tests.kit.nodes import Node
from trust.delegation import Delegation, SignedDelegation, delegate
from trust.sequoia_keyring import SequoiaKeyring

PATIENCE = 10.0
NOT_AFTER = 4_000_000_000
OFFER = b"\r\n".join(
    (
        b"v=0",
        b"o=- 1 1 IN IP4 127.0.0.1",
        b"s=-",
        b"t=0 0",
        b"m=audio 9 UDP/TLS/RTP/SAVPF 0",
        b"c=IN IP4 0.0.0.0",
        b"a=rtcp-mux",
        b"a=fingerprint:sha-256 " + b":".join([b"AB"] * 32),
        b"a=setup:actpass",
        b"a=ice-ufrag:flood",
        b"a=ice-pwd:" + b"p" * 24,
        b"",
    )
)


@dataclass(frozen=True)
class Caller:
    """Somebody with an OpenPGP key and a node key of their own."""

    user: LocalUser
    fingerprint: str
    node_public_key: bytes
    identity: NodeIdentity

    @classmethod
    async def make(cls, name: str) -> "Caller":
        """Make the keys."""
        uri = f"sip:{name}@mesh"
        node_key = Ed25519PrivateKey.generate()
        node_public_key = node_key.public_key().public_bytes_raw()
        secret = pysequoia.Tsk.generate(user_id=f"{name} <{uri}>", profile=pysequoia.Profile.RFC4880)
        keyring = SequoiaKeyring(secret)
        signed = await delegate(keyring, Delegation(uri, node_public_key, 1, NOT_AFTER))
        user = LocalUser(uri, name, name, await keyring.export(), bytes(signed), "")
        return cls(user, keyring.fingerprint, node_public_key, NodeIdentity(node_key, lambda: 1.0))

    @classmethod
    def forge(cls, victim: "Caller") -> "Caller":
        """Return somebody who claims to be the victim, with another node and a signature that is none."""
        node_key = Ed25519PrivateKey.generate()
        node_public_key = node_key.public_key().public_bytes_raw()
        real = SignedDelegation.parse(victim.user.delegation)
        claimed = SignedDelegation(
            replace(real.delegation, node_public_key=node_public_key), victim.fingerprint, real.signature
        )
        user = replace(victim.user, delegation=bytes(claimed))
        return cls(user, victim.fingerprint, node_public_key, NodeIdentity(node_key, lambda: 1.0))

    def invite(self, to: str) -> Request:
        """Return a new signed INVITE."""
        request = Request("INVITE", to)
        for name, value in (
            ("Via", f"SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bK{secrets.token_hex(8)};rport"),
            ("Max-Forwards", "70"),
            ("From", f'"{self.user.username}" <{self.user.uri}>;tag={secrets.token_hex(4)}'),
            ("To", f"<{to}>"),
            ("Call-ID", secrets.token_hex(8)),
            ("CSeq", "1 INVITE"),
            ("Contact", f"<sip:{self.user.username}@127.0.0.1:9;transport=tls>"),
        ):
            request.headers.add(name, value)
        request.set_body(*first_offer(OFFER, self.user))
        self.identity.sign(request)
        return request


@dataclass
class Line:
    """One TLS connection to a node, from an address of its own; one call at a time."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    ringing: int = field(default=0, init=False)

    async def call(self, caller: Caller, to: str) -> int:
        """Call and return the final status; count what rings."""
        request = caller.invite(to)
        self.writer.write(bytes(request))
        while True:
            response = await self._response()
            if response.call_id != request.call_id:
                continue
            self.ringing += response.status == 180
            if response.status >= 200:
                ack = ack_of_failure(request, response)
                caller.identity.sign(ack)
                self.writer.write(bytes(ack))
                return response.status

    async def _response(self) -> Response:
        async with asyncio.timeout(PATIENCE):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"\r\ncontent-length:")[2].split(b"\r\n")[0])
            message = parse_message(head + await self.reader.readexactly(length))
        assert isinstance(message, Response), message
        return message


@asynccontextmanager
async def line_to(node: Node, source: str) -> AsyncIterator[Line]:
    """Connect to a node's mesh port from `source`, an address of this machine."""
    host, port = node.mesh
    reader, writer = await asyncio.open_connection(host, port, ssl=client_context(), local_addr=(source, 0))
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()
