"""The one place that knows all packages: makes the parts of a node and plugs them into each other."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

from media.pump.engine import open_sockets
from media.sockets import Sockets
from overlay.protocol.endpoint import Endpoint
from sipgate.events import GatewayEvent
from sipgate.gateway import Gateway
from sipgate.limits import Limits
from sipgate.ports import LocalUser
from trust.introductions import Introductions
from trust.keyring import Keyring
from trust.openpgp import RELEASED
from trust.pins import Pins
from trust.standing import Standings
from trust.user_gpg import UserGpg
from trust.web_of_trust import WebOfTrust

from .adapters import MeshAdmission, MeshAudience, MeshDirectory, OneUser, PeerKeys, Self
from .address_book import AddressBook
from .addresses import resolve_all
from .aliases import MeshAliases
from .announce import Announcer
from .bootstrap import OWN, KnownKey
from .bootstrap_taking import known_people
from .browser.server import serve_browser
from .call_settings import CallSettings
from .call_watch import CallWatch
from .calling_end import tell_the_end
from .config import Config
from .contacts import ContactDesk
from .control.contact_routes import contact_routes
from .control.device_routes import device_routes
from .control.policy_routes import policy_routes
from .control.server import serve
from .control.settings_routes import settings_routes
from .control.transfer_routes import transfer_routes
from .control.trust_routes import trust_routes
from .devices import DeviceAccounts, DeviceDesk, Door
from .dial_codes import DialCodes, LastCall
from .events import EventLog
from .evidence import EvidenceGatherer
from .history import History
from .identity import Identity, open_identity
from .letters import HearingAdmission, Letters
from .listen import Ports
from .mesh_media import MeshMedia, warm_up
from .mesh_uri import DOMAIN
from .meshes import choose_meshes, meet_new, open_directory
from .news import GatewayNews, tell_overlay_news
from .node import Node
from .plain_domains import plain_domains
from .policy.desk import PolicyDesk, Rules
from .policy.ladder import Anonymous, Strangers
from .policy.parting import Parting
from .policy.rank import Ranks
from .policy.work import Worker
from .ready import ready_fields
from .receipts import ASK, FOLDER, GIVE, Receipts
from .retained import FILE as RETAINED
from .retained import RetainedSecrets
from .services import SERVICES, services
from .store import DataDirectory
from .supervise import Supervisor, guarded
from .trust_desk import TrustDesk

LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with


def wall_clock() -> float:
    """Return Unix time: for delegations, pins and events. Everything that waits uses the loop's clock.

    Never before this program was made: what a node signs in 1970 would have expired for all others.
    """
    return max(time.time(), RELEASED)  # noqa: TID251 - the composition root passes it on


def clock_problems(now: float) -> tuple[str, ...]:
    """Return what to tell the user of a machine whose clock says ``now`` (Unix seconds)."""
    if now >= RELEASED:
        return ()
    year = time.gmtime(now).tm_year
    return (
        f"The clock of this computer says {year}: set it. Calls work, but dates of keys cannot be judged.",
    )


@asynccontextmanager
async def open_node(config: Config, data: DataDirectory, log: EventLog) -> AsyncIterator[Node]:
    """Run a node while the block runs. It is ready for phones and other nodes when the block begins.

    Raises:
        FreeCallError: something that the user can mend stands in the way.
    """
    bootstrap, problems = await resolve_all(config.node.bootstrap)
    identity = await open_identity(data, config, now=wall_clock())
    ports = Ports.choose(config)
    pins, retained = Pins(data.file("pins.json")), RetainedSecrets(data.file(RETAINED))
    names = (identity.uri, identity.long_uri)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(identity.keyring.aclose)
        known = [KnownKey(OWN, identity.public_key), *known_people(pins)]
        meshes = await choose_meshes(
            data, config.node.bootstrap_list, config.node.networks, known, now=wall_clock()
        )
        sockets = stack.enter_context(open_sockets(config.media.threads))
        supervisor = Supervisor(await stack.enter_async_context(asyncio.TaskGroup()))
        overlay = open_directory(
            identity.node_key,
            meshes,
            data,
            listen=ports.mesh_endpoints(),
            bootstrap=bootstrap,
            now=wall_clock(),
            lan=config.node.lan,
            on_event=lambda event: tell_overlay_news(log, names, event),
        )
        await stack.enter_async_context(overlay)
        introductions = Introductions(data.file("introductions.json"), pins)
        standings = Standings(pins, introductions, _web_of_trust(config), wall_clock)
        own = (identity.keyring.fingerprint, standings)
        gatherer = EvidenceGatherer(overlay, identity.keyring, pins, wall_clock, *own)
        desk = TrustDesk(identity, pins, introductions, gatherer, retained, wall_clock)
        log.print_with(desk.observe)
        policy = _policy(config, identity, data, pins, standings, log)
        settings = CallSettings(data.file("settings.json"), log.emit, identity.uris)
        letters = _letters(config, identity, data, pins, gatherer, log)
        history = History(data.file("history"), keep_days=config.calls.history_days, clock=wall_clock)
        stack.push_async_callback(history.aclose)
        watch = CallWatch(history, asyncio.get_running_loop().time)
        log.print_with(watch.observe)
        devices = _devices(config, identity, ports, data, log)
        gateway = await stack.enter_async_context(
            _gateway(
                config,
                identity,
                devices,
                ports,
                pins,
                gatherer,
                log,
                supervisor,
                letters,
                policy,
                retained,
                settings,
                sockets,
            )
        )
        _connect(letters, gateway, policy)
        _exchange_receipts(config, identity, data, pins, log, supervisor, letters)
        for host in ports.mesh_hosts:
            await gateway.listen_mesh(host, ports.mesh)
        await gateway.listen_phones(ports.sip_host, ports.sip)
        await devices.open(gateway.devices)
        node = Node(
            identity,
            gateway,
            gatherer,
            overlay,
            log,
            letters,
            lambda: meet_new(data, overlay, wall_clock()),
            watch,
            history,
        )
        policy.part_from = Parting(gateway, supervisor)
        routes = (
            *trust_routes(desk),
            *policy_routes(policy),
            *settings_routes(settings),
            *transfer_routes(gateway),
            *device_routes(devices),
            *contact_routes(_contacts(identity, data, pins, gatherer, policy, desk)),
        )
        control = await stack.enter_async_context(serve(node, data.path, routes))
        page = await stack.enter_async_context(
            serve_browser(gateway, identity.uri, log, supervisor, wanted=config.phones.browser)
        )
        ready = ready_fields(identity, ports, data, str(control))
        node.ready = {**ready, "networks": meshes.described(), "browser": page}
        log.emit("ready", **node.ready)
        for problem in (*problems, *identity.notices, *meshes.warnings, *clock_problems(time.time())):  # noqa: TID251 - as above
            log.emit("warning", text=problem)
        announcer = Announcer(identity, overlay, ports.mesh_endpoints(), log)
        tasks = [
            supervisor.start(announcer.run(), name="announce"),
            supervisor.start(warm_up(), name="load the media package"),
            supervisor.start(letters.run(), name="letters"),
            supervisor.start(history.run(), name="history"),
            supervisor.start(tell_the_end(identity.calling_until, log, wall_clock), name="calling key"),
        ]
        try:
            yield node
        finally:
            for task in tasks:
                task.cancel()


def _web_of_trust(config: Config) -> WebOfTrust | None:
    """Who calls by a key of their own keyring is told what that keyring says of others."""
    if not config.node.openpgp_key:
        return None
    return WebOfTrust(UserGpg(), asyncio.get_running_loop().time)


def _gateway(
    config: Config,
    identity: Identity,
    devices: DeviceDesk,
    ports: Ports,
    pins: Pins,
    gatherer: EvidenceGatherer,
    log: EventLog,
    supervisor: Supervisor,
    letters: Letters,
    policy: PolicyDesk,
    retained: RetainedSecrets,
    settings: CallSettings,
    sockets: Sockets,
) -> Gateway:
    """Return the gateway with its ports answered."""
    user, last = _user(config, identity), LastCall()
    log.print_with(last.observe)
    keyring, keys, news = identity.keyring, PeerKeys(), GatewayNews(log)
    users = services(wall_clock, identity.uris if config.calls.answer_with == "echo" else ())
    codes = DialCodes(settings, last, policy.block_last_caller, log)
    me = Self(user, keyring.fingerprint, identity.node_key.public_key, services=SERVICES)
    directory = MeshDirectory(me, gatherer, keys, lambda: _own_endpoints(ports))

    def media_of(whose: Self, own: Keyring) -> MeshMedia:
        return MeshMedia(whose, own, pins, keys, log, news.call_of, wall_clock, supervisor, retained, sockets)

    def on_event(event: GatewayEvent) -> None:
        news(event)
        letters.heed(event)
        policy.heed(event)

    admission = MeshAdmission(me, keyring, gatherer.standings, keys, wall_clock)
    gateway = Gateway(
        node_key=identity.node_key.private_key,
        accounts=devices.accounts,
        directory=policy.remember(directory),
        admission=HearingAdmission(policy.guard(admission), letters.heard_from),
        audience=MeshAudience(policy.hide(admission)),
        doorkeeper=None if config.calls.answer_with else policy.door,
        work=Worker(keyring.fingerprint),
        rules=settings,
        domains=plain_domains(config.calls),
        aliases=MeshAliases(directory, media_of, wall_clock),
        whereabouts=gatherer.locate,
        shows_calls=config.calls.show_busy,
        media=media_of(me, keyring),
        services=lambda uri: users.get(uri) or codes.service_for(uri),
        on_event=on_event,
        mailbox=letters,
        domain=DOMAIN,
        limits=Limits(ring_timeout=float(config.calls.ring_seconds)),
        supervise=guarded,
        wall_clock=wall_clock,
    )
    gatherer.is_connected = gateway.is_connected
    return gateway


def _contacts(
    identity: Identity,
    data: DataDirectory,
    pins: Pins,
    gatherer: EvidenceGatherer,
    policy: PolicyDesk,
    desk: TrustDesk,
) -> ContactDesk:
    return ContactDesk(
        identity,
        pins,
        gatherer,
        data.file("contacts.json"),
        is_blocked=policy.is_blocked,
        forget=desk.forget,
        clock=wall_clock,
    )


def _policy(
    config: Config,
    identity: Identity,
    data: DataDirectory,
    pins: Pins,
    standings: Standings,
    log: EventLog,
) -> PolicyDesk:
    return PolicyDesk(
        identity.name,
        Rules(
            cast("Strangers", config.calls.strangers),
            config.calls.strangers_per_hour,
            cast("Anonymous", config.calls.anonymous),
        ),
        data.file("blocked.json"),
        pins,
        Ranks(pins, standings, identity.keyring.fingerprint),
        emit=log.emit,
        clock=wall_clock,
        monotonic=asyncio.get_running_loop().time,
    )


def _user(config: Config, identity: Identity) -> LocalUser:
    return LocalUser(
        uri=identity.uri,
        username=identity.name,
        display_name=identity.name,
        openpgp_key=identity.public_key,
        delegation=bytes(identity.delegation),
        secret=identity.sip_secret,
        algorithms=config.phones.algorithms,
    )


def _connect(letters: Letters, gateway: Gateway, policy: PolicyDesk) -> None:
    letters.connect(gateway.post)
    letters.leave_unread(policy.is_blocked)
    letters.tell_written_to(policy.note_called)


def _devices(
    config: Config, identity: Identity, ports: Ports, data: DataDirectory, log: EventLog
) -> DeviceDesk:
    user = _user(config, identity)
    accounts = DeviceAccounts(OneUser(user, identity.uris), user.username)
    plain_at = str(Endpoint(ports.sip_host, ports.sip))
    desk = DeviceDesk(
        data, user, DOMAIN, accounts, log.emit, wall_clock, door=Door.of(config.phones.lan), plain_at=plain_at
    )
    log.print_with(desk.observe)
    return desk


def _letters(
    config: Config,
    identity: Identity,
    data: DataDirectory,
    pins: Pins,
    gatherer: EvidenceGatherer,
    log: EventLog,
) -> Letters:
    letters = Letters(
        _user(config, identity),
        identity.keyring,
        AddressBook(gatherer, pins),
        data.path,
        emit=GatewayNews(log),
        clock=wall_clock,
        keep_days=config.messages.keep_days,
    )
    log.print_with(lambda event: letters.retry() if event.name == "joined" else None)
    return letters


def _exchange_receipts(
    config: Config,
    identity: Identity,
    data: DataDirectory,
    pins: Pins,
    log: EventLog,
    supervisor: Supervisor,
    letters: Letters,
) -> None:
    own = (identity.uri, identity.keyring)
    wanted = config.calls.receipts
    receipts = Receipts(own, data.path / FOLDER, pins, log, supervisor, wanted=wanted)
    receipts.post = letters.post_quietly
    for content_type in (ASK, GIVE):  # a node that wants none takes them, too, and drops them
        letters.for_the_node(content_type, receipts.hear)
    log.print_with(receipts.observe)


def _own_endpoints(ports: Ports) -> tuple[tuple[str, int], ...]:
    """Return where this node reaches itself: for calls to echo@mesh."""
    return tuple((LOOPBACK_OF.get(host, host), ports.mesh) for host in ports.mesh_hosts)
