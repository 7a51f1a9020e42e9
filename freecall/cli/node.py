"""fc-node: run a node until Ctrl-C."""

import argparse
import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from freecall.config import TEMPLATE, Config, default_data_directory, load_config
from freecall.errors import FreeCallError
from freecall.logs import configure_logging
from trust.errors import TrustError

from . import USAGE_ERROR, complain, give_up, parser, say


def main() -> None:
    """Run the command; exit status 0 after a clean stop, 2 when the configuration or the arguments are wrong."""
    arguments = _arguments()
    data = arguments.data or default_data_directory()
    try:
        if arguments.write_config:
            _write_config(arguments.config or data / "config.toml")
            return
        config = _configuration(arguments, data)
        configure_logging(config.log.level, personal=config.log.personal)
        _run(config, data, as_json=arguments.json)
    except (FreeCallError, TrustError) as error:
        give_up(str(error), USAGE_ERROR)
    except KeyboardInterrupt:  # a second Ctrl-C while stopping
        raise SystemExit(130) from None


def _run(config: Config, data: Path, *, as_json: bool) -> None:
    from freecall.daemon import run_node
    from freecall.memory import keep_private

    keep_private()
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    try:
        import uvloop

        loop_factory = uvloop.new_event_loop
    except ImportError:
        pass
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        try:
            runner.run(run_node(config, data, as_json=as_json))
        except* (FreeCallError, TrustError) as group:
            raise _first(group) from None


def _first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


def _arguments() -> argparse.Namespace:
    command = parser("fc-node", "Run a Free Call node: your phone's way onto the mesh.")
    command.add_argument("--name", metavar="NAME", help="your name on the mesh (default: the login name)")
    command.add_argument(
        "--unlisted", action="store_true", help="be found only by those to whom you gave your whole address"
    )
    command.add_argument(
        "--bootstrap",
        metavar="HOST:PORT",
        action="append",
        default=[],
        help="a node to join through (repeatable)",
    )
    command.add_argument("--listen", metavar="HOST:PORT", help="mesh address: UDP and TCP, same number")
    command.add_argument(
        "--sip", metavar="HOST:PORT", help="where phones register (default 127.0.0.1:5060 or next free)"
    )
    command.add_argument(
        "--sip-secret-file", metavar="FILE", help="the phones' password is this file's first line"
    )
    command.add_argument(
        "--browser", action="store_true", help="serve a page that makes this computer's browser a phone"
    )
    command.add_argument(
        "--openpgp-key",
        metavar="KEY",
        help="be known by this key of your own GnuPG keyring (fingerprint or user id)",
    )
    command.add_argument("--no-lan", action="store_true", help="do not look for nodes on the LAN")
    command.add_argument(
        "--answer-with", choices=["echo"], help="answer your calls with a service, for test nodes"
    )
    command.add_argument(
        "--config", metavar="FILE", type=Path, help="configuration (default: config.toml in the data folder)"
    )
    command.add_argument(
        "--write-config", action="store_true", help="write a commented configuration file and stop"
    )
    command.add_argument("--json", action="store_true", help="print each event as one JSON line")
    return command.parse_args()


def _configuration(arguments: argparse.Namespace, data: Path) -> Config:
    """Return file and command line combined; what is typed wins."""
    path = arguments.config or data / "config.toml"
    config = load_config(path, must_exist=arguments.config is not None)
    node = replace(
        config.node,
        name=arguments.name or config.node.name,
        unlisted=arguments.unlisted or config.node.unlisted,
        listen=arguments.listen or config.node.listen,
        bootstrap=(*arguments.bootstrap, *config.node.bootstrap),
        lan=config.node.lan and not arguments.no_lan,
        openpgp_key=arguments.openpgp_key or config.node.openpgp_key,
    )
    phones = replace(
        config.phones,
        sip=arguments.sip or config.phones.sip,
        secret_file=arguments.sip_secret_file or config.phones.secret_file,
        browser=arguments.browser or config.phones.browser,
    )
    calls = replace(config.calls, answer_with=arguments.answer_with or config.calls.answer_with)
    return replace(config, node=node, phones=phones, calls=calls)


def _write_config(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        complain(f"{path} exists already; it was left as it is.")
        sys.exit(USAGE_ERROR)
    say(f"Wrote {path}. Every line shows a default; change what you need.")


if __name__ == "__main__":
    main()
