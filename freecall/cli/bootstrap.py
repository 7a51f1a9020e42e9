"""fc-bootstrap: lists of nodes to begin with, that people hand to each other."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from freecall.bootstrap import OWN, Standing
from freecall.bootstrap_desk import BootstrapDesk
from freecall.bootstrap_qr import MAX_QR_BYTES, QrCode, qr_as_it_is
from freecall.bootstrap_words import described, network_of, nodes, signature, signed_by, table
from freecall.config import default_data_directory
from freecall.errors import ConfigError, FreeCallError, reason
from freecall.narrate import dumps
from freecall.store import FileStore
from overlay.protocol.bootstrap_list import (
    MAX_LIFETIME_DAYS,
    MAX_NODES,
    BootstrapList,
    ListRefused,
    SignedList,
)
from overlay.protocol.bootstrap_text import to_lines
from trust.errors import TrustError

from . import USAGE_ERROR, complain, give_up, parser, say

Command = Callable[[BootstrapDesk, argparse.Namespace], Coroutine[Any, Any, int]]

NOT_SHOWN, REFUSED = 1, 4
LIFETIME_DAYS = 90
MOST_IN_LINES = 20
EXAMPLES = """\
A list is a file, lines to read aloud and type, or a QR code. Examples:

  fc-bootstrap export --sign -o nodes.fclist         the nodes that yours knows, signed
  fc-bootstrap export --network flood --new-key -o flood.fclist
                                                     a private network
  fc-bootstrap qr                                    for a phone's camera
  fc-bootstrap import flood.fclist                   take part in its network

Exit status: 0 done, 1 the signature cannot be shown to be right, 2 usage, 4 the list is refused.
"""


def main() -> None:
    """Run the command; exit status as `EXAMPLES` says."""
    arguments = _arguments()
    command: Command = arguments.run
    try:
        desk = BootstrapDesk(arguments.data or default_data_directory(), sys.stdin.buffer)
        raise SystemExit(asyncio.run(command(desk, arguments)))
    except ListRefused as error:
        give_up(f"The list is refused: {error}.", REFUSED)
    except (FreeCallError, TrustError) as error:
        give_up(str(error), USAGE_ERROR)
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        raise SystemExit(130) from None


async def _export(desk: BootstrapDesk, arguments: argparse.Namespace) -> int:
    made = await desk.make(
        arguments.network, new_key=arguments.new_key, nodes=arguments.node, lifetime_days=arguments.days
    )
    signed = await _put_down(desk, made, arguments, arguments.output, sign=arguments.sign)
    complain(f"{made.name}: {nodes(signed.content)}, {'signed' if arguments.sign else 'not signed'}.")
    complain(f"The network is {network_of(made)}.")
    return 0


async def _import(desk: BootstrapDesk, arguments: argparse.Namespace) -> int:
    read = await desk.read(arguments.source, arguments.key, arguments.signed_by)
    fresh = desk.keep(read, vouched=bool(arguments.signed_by))
    in_use = fresh and desk.tell_node(read)
    made, now = read.made, desk.now()
    if arguments.json:
        say(
            dumps(
                {**described(made, now), "signature": signature(read.verdict), "new": fresh, "in_use": in_use}
            )
        )
        return 0
    say(table(made, read.verdict, now))
    say("")
    if not fresh:
        say("You have this list already.")
    elif in_use:
        say("Kept, and your node is trying it now.")
    else:
        say("Kept: your node uses it from its next start on.")
    if fresh and not in_use and made.is_private:
        say("It then takes part in this private network, and in no other unless [node] networks names it.")
    return 0


async def _sign(desk: BootstrapDesk, arguments: argparse.Namespace) -> int:
    read = await desk.read(arguments.source)
    output = arguments.output or ("-" if arguments.source == "-" else arguments.source)
    signed = await _put_down(desk, read.made, arguments, output, sign=True)
    complain(f"Signed {read.made.name} with your key: {nodes(signed.content)}.")
    return 0


async def _verify(desk: BootstrapDesk, arguments: argparse.Namespace) -> int:
    read = await desk.read(arguments.source, arguments.key, arguments.signed_by)
    if arguments.json:
        say(dumps({"name": read.made.name, **signature(read.verdict)}))
    else:
        say(f"{read.made.name}: signature {signed_by(read.verdict)}")
    return 0 if read.verdict.standing in (Standing.KNOWN, Standing.STRANGER) else NOT_SHOWN


async def _show(desk: BootstrapDesk, arguments: argparse.Namespace) -> int:
    now = desk.now()
    if arguments.source is not None:
        read = await desk.read(arguments.source, arguments.key)
        if arguments.json:
            say(dumps({**described(read.made, now), "signature": signature(read.verdict)}))
        else:
            say(table(read.made, read.verdict, now))
        return 0
    shown = [(known, desk.lists.held(known, now)) for known in desk.lists.networks()]
    if arguments.json:
        say(dumps({"networks": [described(made, now) for _, made in shown]}))
        return 0
    for number, (known, made) in enumerate(shown):
        say(("\n" if number else "") + table(made, None, now))
        if complaint := known.complaint(now):
            complain(complaint)
    for sentence in desk.lists.damaged():
        complain(sentence)
    if not shown:
        say(
            "No list has been imported. Your node finds others by --bootstrap, by the LAN, and by those it met."
        )
    return 0


async def _qr(desk: BootstrapDesk, arguments: argparse.Namespace) -> int:
    code = None
    if arguments.source is None:
        made = await desk.make(arguments.network, new_key=False, nodes=(), lifetime_days=LIFETIME_DAYS)
        signs = desk.has_key()
    else:
        read = await desk.read(arguments.source)
        made, code = read.made, qr_as_it_is(read.signed)
        signs = arguments.sign or read.verdict.whose == OWN
    if code is None:
        code = await desk.qr(made, sign=signs and not arguments.unsigned)
    if code is None:
        raise ListRefused(f"its name and key leave no room for a node in {MAX_QR_BYTES} bytes")
    if arguments.svg:
        _save(arguments.svg, code.svg().encode(), secret=made.is_private)
    elif arguments.word:
        say(code.word)
    elif not arguments.json:
        say(code.terminal(coloured=sys.stdout.isatty()).rstrip("\n"))
        say(code.caption)
    if arguments.json:
        held = {"nodes": len(code.made.entries), "of_nodes": code.of_nodes, "bytes": len(code.word)}
        say(dumps({"name": made.name, "word": code.word, "signed": code.signed, **held}))
        return 0
    by = "signed" if code.signed else "not signed: anybody could have made it"
    complain(f"{_fitted(code)}; {by}. {len(code.word)} bytes.")
    return 0


def _fitted(code: QrCode) -> str:
    count = len(code.made.entries)
    if not count:
        return "No node is in it, only the network's key: enough on one LAN"
    return f"{count} of {code.of_nodes} nodes fit{', the best ones' if count < code.of_nodes else ''}"


async def _forget(desk: BootstrapDesk, arguments: argparse.Namespace) -> int:
    known = desk.lists.chosen([arguments.network])[0]
    count = desk.lists.forget(known.network)
    say(
        f"Forgotten: {known.name}, {count} list{'s' if count != 1 else ''}. It counts from your node's next start on."
    )
    return 0


async def _put_down(
    desk: BootstrapDesk, made: BootstrapList, arguments: argparse.Namespace, output: str | None, *, sign: bool
) -> SignedList:
    """Write a list to a file, or as lines for people: to be read aloud, so with the best nodes only."""
    as_lines = arguments.text or output is None
    if as_lines:
        made = made.shortened(arguments.most or MOST_IN_LINES)
    elif arguments.most:
        made = replace(made, entries=made.best_first().entries[: arguments.most])
    signed = (
        await desk.sign(made, with_key=not as_lines)
        if sign
        else SignedList(bytes(replace(made, signer_key=b"")))
    )
    heading = f"Free Call bootstrap list: {made.name}, {nodes(made)}"
    data = "\n".join([heading, *to_lines(bytes(signed)), ""]).encode() if as_lines else bytes(signed)
    if output in (None, "-"):
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    else:
        _save(Path(output or ""), data, secret=made.is_private)
    return signed


def _save(path: Path, data: bytes, *, secret: bool) -> None:
    """Replace a file in one step; a private network's secret is for its owner's eyes."""
    try:
        FileStore(path.absolute()).save(data)
        path.chmod(0o600 if secret else 0o644)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({reason(error)}).") from error


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_NODES:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of nodes from 1 to {MAX_NODES}")
    return int(text)


def _days(text: str) -> int:
    if not text.isdecimal() or int(text) > MAX_LIFETIME_DAYS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of days from 0 (no end) to {MAX_LIFETIME_DAYS}"
        )
    return int(text)


def _arguments() -> argparse.Namespace:
    command = parser("fc-bootstrap", "Lists of nodes to begin with: make, take, sign, check and show them.")
    command.epilog = EXAMPLES
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = command.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, run: Command, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(run=run)
        made.add_argument(
            "--data", metavar="DIR", type=Path, default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
        return made

    source = "a file, - for standard input, a URL, or what a QR code holds"
    export = add("export", _export, "Write down the nodes that yours has met, and those that you name.")
    export.add_argument(
        "-o", "--output", metavar="FILE", help="the file (default: lines to read aloud, on screen)"
    )
    export.add_argument("--network", metavar="NAME", help="which network, or what to call it")
    export.add_argument("--new-key", action="store_true", help="for a new private network of that name")
    export.add_argument(
        "--node", metavar="HOST:PORT", action="append", default=[], help="a node (repeatable)"
    )
    export.add_argument(
        "--days",
        metavar="N",
        type=_days,
        default=LIFETIME_DAYS,
        help=f"lifetime (default {LIFETIME_DAYS}; 0: no end)",
    )
    export.add_argument("--sign", action="store_true", help="sign it with your OpenPGP key")
    taken = add("import", _import, "Take part in a list's network.")
    signed = add("sign", _sign, "Sign a list with your OpenPGP key.")
    signed.add_argument("-o", "--output", metavar="FILE", help="where to (default: the same file)")
    verified = add("verify", _verify, "Say who signed a list, and whether the signature is right.")
    shown = add("show", _show, "Show a list, or those that you have imported.")
    code = add("qr", _qr, f"Show a QR code of {MAX_QR_BYTES} bytes at most.")
    code.add_argument("--svg", metavar="FILE", type=Path, help="write it as a picture to print")
    code.add_argument("--word", action="store_true", help="print what the code holds, to send as a message")
    code.add_argument("--network", metavar="NAME", help="which of your networks")
    code.add_argument(
        "--sign", action="store_true", help="sign somebody else's list anew where it must be shortened"
    )
    code.add_argument("--unsigned", action="store_true", help="leave the signature out, for more nodes")
    forgotten = add("forget", _forget, "Remove the lists of a network.")
    forgotten.add_argument("network", metavar="NAME", help="its name, as show tells it")
    for made in (export, signed):
        made.add_argument("--text", action="store_true", help="write lines to read aloud and type")
        made.add_argument(
            "--most",
            metavar="N",
            type=_count,
            help=f"the best N nodes only (default: {MOST_IN_LINES} in lines, else all)",
        )
    for made in (taken, signed, verified):
        made.add_argument("source", metavar="SOURCE", help=source)
    for made in (shown, code):
        made.add_argument("source", metavar="SOURCE", nargs="?", help=source)
    for made in (taken, verified, shown):
        made.add_argument("--key", metavar="FILE", type=Path, help="the signer's OpenPGP public key")
    for made in (taken, verified, shown, code):
        made.add_argument("--json", action="store_true", help="print one JSON object")
    for made in (taken, verified):
        made.add_argument(
            "--signed-by", metavar="FINGERPRINT", default="", help="refuse it if anybody else signed it"
        )
    return command.parse_args()


if __name__ == "__main__":
    main()
