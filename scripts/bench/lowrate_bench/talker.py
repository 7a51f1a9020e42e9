"""A scripted phone: Opus-sized packets that hold more sound than baresip's can. Runs as a process in a namespace.

`python -m scripts.bench.lowrate_bench.talker OPTIONS-AS-JSON`; prints `ready`, `ringing`, `talking` and, when the other
side hangs up, `ended`, each a line; `refused` for each call that failed, before it dials again. It talks until it is
killed.
"""

import asyncio
import json
import os
import re
import secrets
import struct
import sys
from dataclasses import asdict, dataclass
from functools import partial

from tests.kit.sip_phone import PhoneCall, SipPhone

BYTES_PER_SECOND = 2_500
"""20 kb/s."""

PAYLOAD_TYPE, CLOCK_KHZ = 96, 48


@dataclass(frozen=True)
class Options:
    """Whose phone, where; `direct_to` makes it send RTP there and leave SIP alone."""

    address: str
    rtp_port: int
    ptime_ms: int
    user: str = ""
    secret: str = ""
    server: int = 0
    calls: str = ""
    direct_to: str = ""

    def command(self) -> list[str]:
        """The command line of the process."""
        return [sys.executable, "-m", "scripts.bench.lowrate_bench.talker", json.dumps(asdict(self))]

    def sdp(self) -> bytes:
        """Offer or answer."""
        return (
            f"v=0\r\no=- 1 1 IN IP4 {self.address}\r\ns=-\r\nc=IN IP4 {self.address}\r\nt=0 0\r\n"
            f"m=audio {self.rtp_port} RTP/AVP {PAYLOAD_TYPE}\r\n"
            f"a=rtpmap:{PAYLOAD_TYPE} opus/{CLOCK_KHZ}000/2\r\n"
            f"a=ptime:{self.ptime_ms}\r\n"
        ).encode()


def say(word: str) -> None:
    """Tell the benchmark."""
    print(word, flush=True)


async def talk(options: Options, host: str, port: int) -> None:
    """Send RTP there for ever, at the pace of the clock."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, (options.address, options.rtp_port), (host, port)
    )
    ssrc, start = secrets.randbits(32), loop.time()
    for number in range(1 << 16):
        header = struct.pack(
            "!BBHII", 0x80, PAYLOAD_TYPE, number, number * CLOCK_KHZ * options.ptime_ms, ssrc
        )
        transport.sendto(header + os.urandom(BYTES_PER_SECOND * options.ptime_ms // 1000))
        await asyncio.sleep(max(0.0, start + (number + 1) * options.ptime_ms / 1000 - loop.time()))


async def converse(options: Options, call: PhoneCall, description: bytes) -> None:
    """Talk to whoever the description names, until killed; tell when the other side hangs up."""
    (port,) = re.findall(rb"^m=audio (\d+)", description, re.MULTILINE)
    (host,) = re.findall(rb"^c=IN IP4 (\S+?)\r?$", description, re.MULTILINE)[:1]
    say("talking")
    async with asyncio.TaskGroup() as group:
        group.create_task(talk(options, host.decode(), int(port)))
        await call.bye
        say("ended")


def is_answered(call: PhoneCall) -> bool:
    """Tell whether a final response is there."""
    return bool(call.responses) and call.responses[-1].status >= 200


async def main(options: Options) -> None:
    """Call, or wait for a call and answer; then talk."""
    if options.direct_to:
        host, _, port = options.direct_to.rpartition(":")
        say("talking")
        await talk(options, host, int(port))
        return
    async with SipPhone(options.user, options.server, secret=options.secret) as phone:
        phone.says_that_it_is_there = True
        assert (await phone.register()).status == 200
        say("ready")
        if options.calls:
            while True:
                call = await phone.call(options.calls, options.sdp())
                async with call.news:
                    await call.news.wait_for(partial(is_answered, call))
                answer = call.responses[-1]
                if answer.status == 200:
                    break
                print(answer.status, answer.reason, file=sys.stderr)
                say("refused")
            await converse(options, call, answer.body)
        else:
            call = await phone.incoming.get()
            say("ringing")
            await call.answer(options.sdp())
            await converse(options, call, call.offer)


if __name__ == "__main__":
    asyncio.run(main(Options(**json.loads(sys.argv[1]))))
