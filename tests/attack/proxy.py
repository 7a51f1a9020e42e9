"""A real SIP proxy between two real nodes, by somebody who has stolen both *node* keys: he may change every message.

The directory sends the caller to him; he ends TLS as the callee's node, goes on to the callee's, and hands messages on
byte by byte, except where the mode says otherwise. What he changes he signs anew (`Identity`) with the right node key.
The media go from node to node: in mode `carry` the call is confirmed, so whatever he does then happens to a good call.

Run as a program: `python -m tests.attack.proxy --caller DIR --callee DIR --listen HOST:PORT --at HOST:PORT
--bootstrap HOST:PORT --mode FILE`. FILE names the mode of the next call. It prints `ready`, and `caller 488 …` or
`callee 488 …` for what a victim answers to a request of his own.
"""

import argparse
import asyncio
import datetime
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from overlay.overlay import Overlay
from overlay.protocol.endpoint import Endpoint
from sipgate.identity import NodeIdentity
from sipgate.protocol.framing import PING, Ping, StreamFramer
from sipgate.protocol.message import Request, Response, parse_message
from sipgate.tls import client_context, server_context
from tests.attack.path import other_fingerprint, plain_rtp, sdes
from tests.kit.thief import HighNumbers, Victim

CHANGES: dict[str, Callable[[bytes], bytes]] = {"plain": plain_rtp, "sdes": sdes, "print": other_fingerprint}
STRIKE_AFTER_SECONDS = 1.0
SDP = "application/sdp"


def now() -> float:
    """Return Unix seconds."""
    return datetime.datetime.now(datetime.UTC).timestamp()


def with_description(message: Request | Response, change: Callable[[bytes], bytes]) -> bool:
    """Change the description in a message, which may stand among keys; tell whether there was one."""
    begin = message.body.find(b"v=0\r\n")
    if begin < 0:
        return False
    end = message.body.find(b"\r\n--", begin)
    end = len(message.body) if end < 0 else end
    body = message.body[:begin] + change(message.body[begin:end]) + message.body[end:]
    message.set_body(message.headers.get("Content-Type"), body)
    return True


def description(message: Request | Response) -> bytes:
    """Return the description in a message."""
    begin = message.body.index(b"v=0\r\n")
    end = message.body.find(b"\r\n--", begin)
    return message.body[begin : None if end < 0 else end]


@dataclass
class Talk:
    """One call: what he does to it, and what its dialog is made of."""

    mode: str
    invite: Request
    answer: Response | None = None


class Line:
    """One connection of the caller's, and his own to the callee for it."""

    def __init__(self, proxy: "Proxy", caller: asyncio.StreamWriter, callee: asyncio.StreamWriter) -> None:
        self.proxy = proxy
        self.writers = {"caller": caller, "callee": callee}
        self.talks: dict[str, Talk] = {}
        self.own: dict[str, Request] = {}

    async def pump(self, reader: asyncio.StreamReader, source: str, to: str) -> None:
        """Hand on what one victim says, until it hangs up."""
        framer = StreamFramer()
        while data := await reader.read(65_536):
            for piece in framer.feed(data):
                passed = PING if isinstance(piece, Ping) else self.carried(piece, source)
                if passed:
                    self.writers[to].write(passed)
        self.writers[to].close()

    def carried(self, data: bytes, source: str) -> bytes:
        """Return what becomes of a message; nothing, if it is an answer to himself."""
        message = parse_message(data)
        if isinstance(message, Request):
            return self.request(message, data)
        branch = message.top_via.branch or ""
        if branch in self.own:
            self.answered(message, source, self.own[branch])
            return b""
        talk = self.talks.get(message.call_id)
        if talk is None:
            return data
        if message.cseq.method == "INVITE" and message.status == 200 and talk.answer is None:
            talk.answer = message
            if talk.mode.startswith("reinvite-"):  # the ACK goes to the callee's Contact, past him
                asyncio.get_running_loop().call_later(STRIKE_AFTER_SECONDS, self.strike, talk)
        return self.changed(message, talk.mode, "answer") or data

    def request(self, message: Request, data: bytes) -> bytes:
        """Carry a request, and note what the dialog is made of."""
        talk = self.talks.get(message.call_id)
        if message.method == "INVITE" and talk is None:
            return self.begun(message, data)
        return data

    def begun(self, invite: Request, data: bytes) -> bytes:
        """Carry the first INVITE of a call."""
        talk = self.talks[invite.call_id] = Talk(self.proxy.mode_file.read_text().strip(), invite)
        if talk.mode == "replay":
            asyncio.get_running_loop().call_later(STRIKE_AFTER_SECONDS, self.proxy.again.put_nowait, data)
        return self.changed(parse_message(data), talk.mode, "invite") or data

    def changed(self, message: Request | Response, mode: str, what: str) -> bytes:
        """Return the message as the mode wants it, signed anew; nothing if it goes on as it is."""
        change = CHANGES.get(mode.removeprefix(f"{what}-"))
        if not mode.startswith(f"{what}-") or change is None or not with_description(message, change):
            return b""
        if isinstance(message, Request):
            self.proxy.caller_identity.sign(message)
        return bytes(message)

    def strike(self, talk: Talk) -> None:
        """Ask each victim, in the other's name, to go on with less."""
        assert talk.answer is not None
        change = CHANGES[talk.mode.removeprefix("reinvite-")]
        dialog = {name: str(talk.answer.headers.get(name)) for name in ("From", "To", "Call-ID")}
        turned = {**dialog, "From": dialog["To"], "To": dialog["From"]}
        number = talk.invite.cseq.number + 1
        self.reinvite("callee", dialog, number, talk.answer, talk.invite, change(description(talk.invite)))
        self.reinvite("caller", turned, 1, talk.invite, talk.answer, change(description(talk.answer)))

    def reinvite(
        self,
        to: str,
        dialog: dict[str, str],
        number: int,
        victim: Request | Response,
        other: Request | Response,
        body: bytes,
    ) -> None:
        """Send one."""
        contact = victim.contacts[0]
        assert not isinstance(contact, str)
        request = Request("INVITE", str(contact.uri))
        branch = f"z9hG4bK{secrets.token_hex(8)}"
        host, port = self.proxy.listen
        request.headers.add("Via", f"SIP/2.0/TLS {host}:{port};branch={branch}")
        request.headers.add("Max-Forwards", "70")
        for name, value in dialog.items():
            request.headers.add(name, value)
        request.headers.add("CSeq", f"{number} INVITE")
        request.headers.add("Contact", str(other.headers.get("Contact")))
        request.set_body(SDP, body)
        self.identity(to).sign(request)
        self.own[branch] = request
        self.writers[to].write(bytes(request))

    def identity(self, to: str) -> NodeIdentity:
        """Return whom he poses as."""
        return self.proxy.caller_identity if to == "callee" else self.proxy.callee_identity

    def answered(self, response: Response, source: str, request: Request) -> None:
        """Tell what a victim says to his request, and end the transaction."""
        if response.status < 200:
            return
        print(source, response.status, response.reason, flush=True)
        ack = Request("ACK", request.uri)
        for name in ("Via", "Max-Forwards", "From", "Call-ID"):
            ack.headers.add(name, str(request.headers.get(name)))
        ack.headers.add("To", str(response.headers.get("To")))
        ack.headers.add("CSeq", f"{request.cseq.number} ACK")
        ack.set_body(None, b"")
        self.identity(source).sign(ack)
        self.writers[source].write(bytes(ack))


class Proxy:
    """Listens as the callee's node."""

    def __init__(
        self, caller: Victim, callee: Victim, listen: Endpoint, callee_at: Endpoint, mode_file: Path
    ) -> None:
        self.caller_identity = NodeIdentity(caller.node_key.private_key, now)
        self.callee_identity = NodeIdentity(callee.node_key.private_key, now)
        self.listen = (listen.host, listen.port)
        self.mode_file = mode_file
        self.again: asyncio.Queue[bytes] = asyncio.Queue()
        self._callee_at = callee_at
        self._key = callee.node_key.private_key

    async def serve(self) -> None:
        """Listen for ever."""
        server = await asyncio.start_server(self.accept, *self.listen, ssl=server_context(self._key))
        async with server, asyncio.TaskGroup() as group:
            group.create_task(self.replay())
            print("ready", flush=True)
            await server.serve_forever()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the callee's node."""
        return await asyncio.open_connection(
            self._callee_at.host, self._callee_at.port, ssl=client_context(), server_hostname=""
        )

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Stand between."""
        theirs, onward = await self.connect()
        line = Line(self, writer, onward)
        async with asyncio.TaskGroup() as group:
            group.create_task(line.pump(reader, "caller", "callee"))
            group.create_task(line.pump(theirs, "callee", "caller"))

    async def replay(self) -> None:
        """Send each INVITE that is to come again, over a connection of its own, and tell what comes."""
        while True:
            invite = await self.again.get()
            reader, writer = await self.connect()
            branch = parse_message(invite).top_via.branch or ""
            writer.write(invite.replace(branch.encode(), b"z9hG4bK" + secrets.token_hex(8).encode()))
            answer = await self.final(reader)
            print("callee", answer.status, answer.reason, flush=True)
            writer.close()

    async def final(self, reader: asyncio.StreamReader) -> Response:
        """Return the final answer."""
        framer = StreamFramer()
        while True:
            for piece in framer.feed(await reader.read(65_536)):
                message = None if isinstance(piece, Ping) else parse_message(piece)
                if isinstance(message, Response) and message.status >= 200:
                    return message


async def stand(proxy: Proxy, callee: Victim, listen: Endpoint, others: list[Endpoint]) -> None:
    """Put the DHT right for the attack, and stand between until killed."""
    overlay = Overlay(callee.node_key, listen=[listen], bootstrap=others, sequence=HighNumbers())
    async with overlay:
        await overlay.join()
        await overlay.publish_node([listen])
        await proxy.serve()


def main() -> None:
    """Run the proxy."""
    command = argparse.ArgumentParser()
    for option in ("--caller", "--callee", "--mode"):
        command.add_argument(option, type=Path, required=True)
    for option in ("--listen", "--at", "--bootstrap"):
        command.add_argument(option, type=Endpoint.parse, required=True)
    given = command.parse_args()
    caller, callee = Victim.of(given.caller), Victim.of(given.callee)
    proxy = Proxy(caller, callee, given.listen, given.at, given.mode)
    asyncio.run(stand(proxy, callee, given.listen, [given.bootstrap, given.at]))


if __name__ == "__main__":
    main()
