"""What a gateway answers a phone that sends the torture messages of RFC 4475.

How the message layer judges them is in protocol/test_rfc4475.py; here are the ones too that only who serves the request
can judge. The messages come from strangers, so 401 and 407 stand for "fine so far: who are you?".
"""

import asyncio
import re
import socket
from pathlib import Path

from .gateways import PATIENCE, nodes

VECTORS = Path(__file__).parents[1] / "vectors" / "rfc4475"
ANSWERS: dict[str, int | None] = {
    # 3.1.1 valid
    "wsinv": 481,  # it has a To tag and belongs to no call of ours
    "intmeth": 501,  # an unknown method
    "esc01": 407,
    "escnull": 401,
    "esc02": 501,  # the method is RE%47IST%45R, not REGISTER (3.1.1.5)
    "lwsdisp": 200,
    "longreq": 407,
    "dblreq": 401,
    "semiuri": 200,
    "transports": 200,
    "mpart01": 407,
    # 3.1.2 invalid
    "clerr": 400,
    "ncl": 400,
    "ltgtruri": 400,
    "lwsruri": 400,
    "lwsstart": 400,
    "trws": 400,
    "escruri": 400,
    "baddate": 407,  # nobody needs the Date
    "regbadct": 400,
    "mismatch01": 400,
    "mismatch02": 400,
    # 3.2 and 3.3 judged by whoever serves the request
    "badbranch": 200,  # compared as RFC 2543 did
    "unkscm": 416,
    "novelsc": 416,
    "unksm2": 401,
    "bext01": 420,
    "invut": 407,
    "regaut01": 401,  # an unknown scheme of Authorization
    "mcl01": 400,
    "zeromf": 200,  # 3.3.11: 483 is for proxies
    "cparam01": 401,
    "cparam02": 401,
    "regescrt": 401,
    "sdp01": 407,
    "inv2543": 407,
    # Without usable Via, From, To, Call-ID or CSeq there is nothing to copy into an answer
    **dict.fromkeys(("badinv01", "scalar02", "quotbal", "badaspec", "baddn", "badvers", "insuf", "multi01")),
    # Responses to nothing that we asked
    **dict.fromkeys(("unreason", "noreason", "scalarlg", "bigcode", "bcast")),
}
_VIA = re.compile(rb"(?im)^v(?:ia)?[ \t]*:\s*SIP\s*/\s*[27]\.0\s*/\s*\w+\s+[^\s;:,]+(?:\s*:\s*\d+)?")
PROBE = (
    b"OPTIONS sip:mesh SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bKprobe\r\nFrom: <sip:a@b>;tag=1\r\n"
    b"To: <sip:mesh>\r\nCall-ID: probe\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


def test_each_message_has_its_answer_here() -> None:
    assert {path.stem for path in VECTORS.glob("*.dat")} == set(ANSWERS)


async def first_final(sock: socket.socket) -> tuple[int, bool]:
    """Return the status of the next final response, and whether it answers the probe."""
    while True:
        head = (await asyncio.get_running_loop().sock_recv(sock, 65536)).partition(b"\r\n\r\n")[0]
        status = int(head.split(b" ", 2)[1])
        if status >= 200:
            return status, b"z9hG4bKprobe" in head


async def answer(port: int, name: str) -> int | None:
    """Send a message from a phone of its own; return the final status, None when a later request is answered first."""
    data = (VECTORS / f"{name}.dat").read_bytes().replace(b"z9hG4bKkdjuw", b"z9hG4bKkdjuw" + name.encode())
    if b"rport" not in data:  # else the answer goes to the default port
        data = _VIA.sub(lambda found: found[0] + b";rport", data, count=1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind(("127.0.0.1", 0))
        sock.sendto(data, ("127.0.0.1", port))
        if ANSWERS[name] is None:
            sock.sendto(PROBE.replace(b"probe", b"probe" + name.encode()), ("127.0.0.1", port))
        status, probe = await first_final(sock)
        return None if probe else status


async def test_a_gateway_answers_each_as_the_rfc_recommends() -> None:
    async with nodes("alice") as (node,):
        for name, expected in ANSWERS.items():
            async with asyncio.timeout(PATIENCE):
                assert (name, await answer(node.phones, name)) == (name, expected)
