"""Draw the tables of docs/attacks.md from the attacks that the rig plays.

Run without arguments to rewrite the page; `--check` says with its exit status whether the page is up to date.
"""

import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.attack import handshake, later, lies, path  # noqa: E402 - the path comes first
from tests.attack.rig import NAMES, Attack  # noqa: E402

PAGE = ROOT / "docs" / "attacks.md"
BEGIN, END = "<!-- drawn: attacks -->", "<!-- end: attacks -->"
TITLES: dict[ModuleType, str] = {
    path: "On the way, without encryption of his own",
    handshake: "In the middle: certificates and handshakes",
    lies: "In the middle, with encryption of his own: lies in the confirmation",
    later: "On a call that stands",
}


def doc(thing: object) -> str:
    """Return the first paragraph of a docstring, on one line."""
    return " ".join((thing.__doc__ or "").split("\n\n")[0].split())


def row(attack: type[Attack]) -> str:
    """Return one attack: what he does, and what each node says."""
    first = "" if attack.pinned else "strangers; "
    lives = "the two nodes' own encryption stands" if attack.intact else ""
    said = " | ".join(" / ".join(attack.says[name]) for name in NAMES)
    note = f"{first}{lives}".strip("; ")
    return f"| `{attack.__name__}` | {doc(attack)}{f' *({note})*' if note else ''} | {said} |"


def drawn() -> str:
    """Return all tables."""
    parts = []
    for module, title in TITLES.items():
        rows = "\n".join(row(attack) for attack in module.ATTACKS)
        parts.append(
            f"## {title}\n| attack | what he does | caller's node | callee's node |\n| --- | --- | --- | --- |\n{rows}"
        )
    return "\n\n".join(parts)


def page() -> str:
    """Return the page as it must be."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{drawn()}\n{END}{rest.split(END)[1]}"


def main() -> int:
    """Rewrite or check the page."""
    wanted = page()
    if "--check" in sys.argv[1:]:
        return int(PAGE.read_text(encoding="utf-8") != wanted)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
