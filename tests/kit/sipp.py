"""Scenarios of sipp (Debian 12: 3.6.1; it has no TLS and ignores SIGTERM, so only SIGKILL ends it)."""

from collections.abc import Mapping
from pathlib import Path

from tests.kit.baresip import Line
from tests.kit.netns import free_ports
from tests.kit.process import Outcome, run

SCENARIOS = Path(__file__).parent / "sipp"


async def sipp(
    scenario: str,
    line: Line,
    folder: Path,
    *,
    uri: str = "sip:mesh",
    transport: str = "udp",
    calls: int = 1,
    keys: Mapping[str, str] | None = None,
    port: int | None = None,
    namespace: str | None = None,
) -> Outcome:
    """Run `tests/kit/sipp/<scenario>.xml`; exit status 0 means that each call went as written there.

    `uri` is the Request-URI that the credentials are made for; `keys` fills in the scenario's own `[names]`,
    even where sipp takes no variables; `port` is sipp's own SIP port.
    """
    text = (SCENARIOS / f"{scenario}.xml").read_text()
    for name, value in (keys or {}).items():
        text = text.replace(f"[{name}]", value)
    script = folder / f"{scenario}.xml"
    script.write_text(text)
    if port is None:
        (port,) = free_ports(namespace, step=2)
    argv = ["sipp", f"{line.host}:{line.port}", "-sf", str(script), "-i", "127.0.0.1"]
    argv += ["-p", str(port), "-m", str(calls), "-l", "10", "-r", "50", "-nostdin", "-timeout", "10s"]
    argv += ["-timeout_error", "-recv_timeout", "5000", "-t", "t1" if transport == "tcp" else "u1"]
    argv += [
        "-au",
        line.username,
        "-ap",
        line.password,
        "-s",
        line.username,
        "-auth_uri",
        uri.removeprefix("sip:"),
    ]
    argv += ["-trace_err", "-error_file", str(folder / "sipp-errors.log")]
    return await run(argv, cwd=folder, namespace=namespace, timeout=20)
