"""Two nodes on this machine, a caller and an echo, one verified call; told step by step, with times.

Exit status 0 only if the call was signed by the pinned key and every packet heard is one that was sent.
"""

import contextlib
import json
import math
import signal
import struct
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RATE = 8000
SECONDS = 3
NOTES = (440.0, 554.4, 659.3, 880.0)
STARTED = time.perf_counter()


def tell(text: str) -> None:
    """Print one step of the story with the time since the start."""
    print(f"{time.perf_counter() - STARTED:6.2f} s  {text}", flush=True)


class DemoNode:
    """A node in a process of its own, read by its events."""

    def __init__(self, folder: Path, name: str, *options: str) -> None:
        command = [
            *(sys.executable, "-m", "freecall.cli.node", "--json", "--no-lan", "--name", name),
            *("--data", str(folder / name), "--listen", "127.0.0.1:0", "--sip", "127.0.0.1:0", *options),
        ]
        self.data = folder / name
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def wait_for(self, name: str) -> dict[str, Any]:
        """Return the next event of that name."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event: dict[str, Any] = json.loads(line)
            if event["event"] == name:
                return event
        raise SystemExit(f"The node stopped before it said {name!r}.")

    def stop(self) -> int:
        """Stop as Ctrl-C does; return the exit status."""
        self._process.send_signal(signal.SIGINT)
        self._process.communicate(timeout=20)
        return self._process.returncode


@contextlib.contextmanager
def running(node: DemoNode) -> Iterator[DemoNode]:
    """End the node's process, whatever happens."""
    try:
        yield node
    finally:
        status = node.stop()
        if status:
            print(f"A node ended with status {status}.", file=sys.stderr)


def short_key(ready: dict[str, Any]) -> str:
    """Return both ends of a node's OpenPGP fingerprint."""
    return f"key {ready['fingerprint'][:4]}…{ready['fingerprint'][-4:]}"


def write_melody(path: Path) -> None:
    """Write four notes as a WAV file, 8 kHz mono."""
    count = RATE * SECONDS
    samples = (
        int(
            9000
            * math.sin(2 * math.pi * NOTES[i * len(NOTES) // count] * i / RATE)
            * min(1.0, (count - i) / 800)
        )
        for i in range(count)
    )
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))


def loudness(path: Path, frequency: float) -> float:
    """Return how strongly ``frequency`` sounds anywhere in the file (Goertzel over 100 ms windows), 0 to about 1."""
    with wave.open(str(path)) as file:
        raw = file.readframes(file.getnframes())
    samples = struct.unpack(f"<{len(raw) // 2}h", raw)
    window, best = RATE // 10, 0.0
    coefficient = 2 * math.cos(2 * math.pi * frequency / RATE)
    for start in range(0, len(samples) - window, window):
        before, now = 0.0, 0.0
        for sample in samples[start : start + window]:
            before, now = now, sample / 9000 + coefficient * now - before
        power = now * now + before * before - coefficient * now * before
        best = max(best, 2 * math.sqrt(max(power, 0.0)) / window)
    return best


def call(caller: DemoNode, uri: str, melody: Path, heard: Path) -> dict[str, Any]:
    """Run fc-call; return its JSON object."""
    command = [
        *(sys.executable, "-m", "freecall.cli.call", "--data", str(caller.data), uri, "--json"),
        *("--play", str(melody), "--record", str(heard), "--seconds", str(SECONDS)),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, timeout=60, check=False)
    if not done.stdout:
        raise SystemExit("The call could not be placed.")
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def story(folder: Path) -> int:
    """Tell it; return the exit status."""
    melody, heard = folder / "melody.wav", folder / "heard.wav"
    write_melody(melody)
    tell("Bob starts a node of his own. His calls are answered by an echo.")
    with running(DemoNode(folder, "bob", "--answer-with", "echo")) as bob:
        ready = bob.wait_for("ready")
        tell(f"  Bob is {ready['uri']}, {short_key(ready)}, node at {ready['mesh'][0]}")
        bob.wait_for("published")
        tell("Alice starts a node too, and joins through Bob's.")
        with running(DemoNode(folder, "alice", "--bootstrap", ready["mesh"][0])) as alice:
            mine = alice.wait_for("ready")
            tell(f"  Alice is {mine['uri']}, {short_key(mine)}")
            alice.wait_for("published")
            tell("Alice calls bob@mesh, plays four notes and listens.")
            outcome = call(alice, "bob@mesh", melody, heard)
            secured = bob.wait_for("call_secured") if outcome["ok"] else None
            return verdict(outcome, secured, heard)


def verdict(outcome: dict[str, Any], secured: dict[str, Any] | None, heard: Path) -> int:
    """Tell how the call went; 0 only if it was verified at both ends and the sound came back."""
    if secured is None:
        tell(f"FAILED: {outcome['status']} {outcome['reason']}")
        return 1
    tell(
        f"  Bob's phone rang after {outcome['ringing_ms']} ms, the call was secured after {outcome['secured_ms']} ms."
    )
    tell(f"  Words at Alice: {' '.join(outcome['words'])}")
    tell(f"  Words at Bob:   {' '.join(secured['words'])}")
    notes = [loudness(heard, note) for note in NOTES]
    tell(f"  {outcome['packets_sent']} packets sent, {outcome['packets_received']} came back.")
    checks = {
        "both see the same words": outcome["words"] == secured["words"],
        "Alice's node checked Bob's signature": outcome["signed"],
        "Bob's node checked Alice's signature": secured["signed"],
        "all four notes came back": all(level > 0.5 for level in notes),
    }
    for what, held in checks.items():
        tell(f"  {'yes' if held else 'NO '}  {what}")
    tell("Verified: nobody stood between them." if all(checks.values()) else "FAILED")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="freecall-demo-") as temporary:
        raise SystemExit(story(Path(temporary)))
