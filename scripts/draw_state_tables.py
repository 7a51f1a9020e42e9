"""Draw the state tables of sip-transactions.md, sip-events.md and sip-calls.md (docs/protocol) from the code.

Run without arguments to rewrite the pages; `--check` says with its exit status whether they are up to date.
"""

import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from sipgate.protocol import (  # noqa: E402
    invite_client,
    invite_server,
    non_invite_client,
    non_invite_server,
    notifier,
    subscriber,
    transfer,
)
from sipgate.protocol.timers import Timer, TimerValues  # noqa: E402

PROTOCOL = ROOT / "docs" / "protocol"
MACHINES = (invite_client, non_invite_client, invite_server, non_invite_server)
EVENTS = (notifier, subscriber)
BEGIN, END = "<!-- drawn: {} -->", "<!-- end: {} -->"


def table(machine: ModuleType) -> str:
    """Return one row for each cell that the table names, and the timers of each state."""
    states = list(machine.State)
    head = (
        "| input \\ state | " + " | ".join(state.name for state in states if state is not machine.END) + " |"
    )
    lines = [head, "| --- " * len(states) + "|"]
    for given in machine.Input:
        cells = [cell(machine, state, given) for state in states if state is not machine.END]
        lines.append(f"| `{given.name}` | " + " | ".join(cells) + " |")
    state, actions = machine.START
    begun = f" with {', '.join(action.name for action in actions)}" if actions else ""
    if machine.TIMERS:
        lines.append(timer_row(machine))
    return f"Begins in {state.name}{begun}.\n\n" + "\n".join(lines)


def timer_row(machine: ModuleType) -> str:
    """Return the last row: the timers that run in each state."""
    running = [
        ", ".join(f"`{timer.name}`" for timer in machine.TIMERS.get(state, ())) or "none"
        for state in machine.State
        if state is not machine.END
    ]
    return "| *timers that run* | " + " | ".join(running) + " |"


def cell(machine: ModuleType, state: object, given: object) -> str:
    """Return what happens: actions, and the next state where it is another; empty when nothing does."""
    if (state, given) not in machine.TABLE:
        return ""
    after, actions = machine.TABLE[state, given]
    parts = [", ".join(action.name for action in actions)] if actions else []
    if after is not state:
        parts.append(f"→ **{after.name}**")
    return " ".join(parts)


def diagram(machine: ModuleType) -> str:
    """Return a Mermaid state diagram; what changes neither state nor anything else is left out."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {machine.START[0].name}"]
    edges: dict[tuple[str, str], list[str]] = {}
    for (state, given), (after, _) in machine.TABLE.items():
        if after is not state:
            edges.setdefault((state.name, after.name), []).append(given.name)
    for (before, following), inputs in edges.items():
        target = "[*]" if following == machine.END.name else following
        lines.append(f"    {before} --> {target}: {', '.join(inputs)}")
    return "\n".join([*lines, "```"])


def timers() -> str:
    """Return the first values, in seconds."""
    values = TimerValues()
    lines = ["| timer | over UDP | over TCP and TLS |", "| --- | --- | --- |"]
    for timer in Timer:
        shown = [values.first(timer, reliable=reliable) for reliable in (False, True)]
        lines.append(
            f"| `{timer.name}` | " + " | ".join("never" if v is None else f"{v:g}" for v in shown) + " |"
        )
    return "\n".join(lines)


def drawings(machines: tuple[ModuleType, ...]) -> dict[str, str]:
    """Return the drawing of each machine by its name."""
    return {
        machine.__name__.rpartition(".")[2]: f"{table(machine)}\n\n{diagram(machine)}" for machine in machines
    }


def redraw(page: str, drawn: dict[str, str]) -> str:
    """Return the page with its drawn parts anew; KeyError when one has no place in it."""
    for name, drawing in drawn.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise KeyError(name)
        page = f"{before}{begin}\n{drawing}\n{end}{after}"
    return page


def main() -> int:
    """Rewrite or check the pages."""
    pages = {
        PROTOCOL / "sip-transactions.md": {**drawings(MACHINES), "timers": timers()},
        PROTOCOL / "sip-events.md": drawings(EVENTS),
        PROTOCOL / "sip-calls.md": drawings((transfer,)),
    }
    is_current = True
    for path, drawn in pages.items():
        page = path.read_text()
        anew = redraw(page, drawn)
        is_current &= page == anew
        if "--check" not in sys.argv[1:]:
            path.write_text(anew)
            is_current = True
    return 0 if is_current else 1


if __name__ == "__main__":
    sys.exit(main())
