"""Draw the state tables of docs/protocol/sip-transactions.md from the tables that the code runs on.

Run without arguments to rewrite the page; `--check` says with its exit status whether the page is up to date.
"""

import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from sipgate.protocol import invite_client, invite_server, non_invite_client, non_invite_server  # noqa: E402
from sipgate.protocol.timers import Timer, TimerValues  # noqa: E402

PAGE = ROOT / "docs" / "protocol" / "sip-transactions.md"
MACHINES = (invite_client, non_invite_client, invite_server, non_invite_server)
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
    timers = [
        ", ".join(f"`{timer.name}`" for timer in machine.TIMERS.get(state, ())) or "none"
        for state in states
        if state is not machine.END
    ]
    lines.append("| *timers that run* | " + " | ".join(timers) + " |")
    state, actions = machine.START
    begun = ", ".join(action.name for action in actions)
    return f"Begins in {state.name} with {begun}.\n\n" + "\n".join(lines)


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


def drawings() -> dict[str, str]:
    """Return each drawn part of the page by its name."""
    parts = {
        machine.__name__.rpartition(".")[2]: f"{table(machine)}\n\n{diagram(machine)}" for machine in MACHINES
    }
    return {**parts, "timers": timers()}


def redraw(page: str) -> str:
    """Return the page with its drawn parts anew; KeyError when one has no place in it."""
    for name, drawing in drawings().items():
        begin, end = BEGIN.format(name), END.format(name)
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise KeyError(name)
        page = f"{before}{begin}\n{drawing}\n{end}{after}"
    return page


def main() -> int:
    """Rewrite or check the page."""
    page = PAGE.read_text()
    drawn = redraw(page)
    if "--check" in sys.argv[1:]:
        return 0 if page == drawn else 1
    PAGE.write_text(drawn)
    return 0


if __name__ == "__main__":
    sys.exit(main())
