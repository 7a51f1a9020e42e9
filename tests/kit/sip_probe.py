"""The smallest SIP client: is somebody there?"""

import asyncio
import secrets

OPTIONS = """\
OPTIONS sip:mesh SIP/2.0
Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{token};rport
Max-Forwards: 70
From: <sip:probe@mesh>;tag={token}
To: <sip:mesh>
Call-ID: {token}
CSeq: 1 OPTIONS
Content-Length: 0

"""


class _FirstAnswer(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, _addr: tuple[str, int]) -> None:
        if not self.answer.done():
            self.answer.set_result(data)


async def answers_options(address: tuple[str, int], *, timeout: float = 5) -> bool:
    """Send OPTIONS over UDP, again each half second as RFC 3261 does, and tell whether 200 came back."""
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        _FirstAnswer, remote_addr=address
    )
    host, port = transport.get_extra_info("sockname")
    request = OPTIONS.format(host=host, port=port, token=secrets.token_hex(8)).replace("\n", "\r\n").encode()
    try:
        for _ in range(int(2 * timeout)):
            transport.sendto(request)
            try:
                async with asyncio.timeout(0.5):
                    return (await asyncio.shield(protocol.answer)).startswith(b"SIP/2.0 200")
            except TimeoutError:
                continue
        return False
    finally:
        transport.close()
