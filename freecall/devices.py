"""Paired devices: phones on the LAN, each with a secret of its own that can be taken back."""

import datetime
import hashlib
import json
import re
import secrets
import ssl
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeGuard, get_args

from overlay.addresses import reachable_endpoints
from overlay.protocol.endpoint import Endpoint
from sipgate.devices import Devices
from sipgate.ports import Accounts, LocalUser
from sipgate.tls import phone_certificate, phone_context

from .config import SIP_TLS_PORT
from .errors import FreeCallError, reason
from .events import Event
from .listen import ALL_ADDRESSES, free_port, hosts_of
from .provisioning import SipAccount, rendered
from .store import DataDirectory

MAX_DEVICES = 64
SECRET_BYTES = 15
Srtp = Literal["sdes", "dtls"]
VERSION = 1
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
CERTIFICATE_FILE, DEVICES_FILE = "phones-tls.pem", "devices.json"


class DeviceRefused(FreeCallError):
    """What was asked about a device cannot be done; the message says why."""


@dataclass(frozen=True)
class Device:
    """One paired phone. `since` is in Unix seconds; a `plain` one may come in the clear.

    `srtp` is how the keys of its media are agreed on when it is called; when it calls it says so itself.
    """

    name: str
    since: float
    plain: bool = False
    secret: str = field(repr=False, default="")
    srtp: Srtp = "sdes"


@dataclass(frozen=True)
class Door:
    """Where devices come in: host and port as configured, and whether only that port will do."""

    host: str
    port: int
    exact: bool

    @classmethod
    def of(cls, text: str) -> "Door":
        """Return the door that a HOST:PORT setting means, which may be empty; raise `ConfigError`."""
        hosts, port, exact = hosts_of(text, ALL_ADDRESSES, SIP_TLS_PORT)
        return cls(hosts[0], port, exact)


class DeviceAccounts:
    """Answers the gateway's `Accounts` port: the user's own account, and one for each device, `bob.kitchen`."""

    def __init__(self, own: Accounts, username: str) -> None:
        self.devices: dict[str, Device] = {}
        self._own = own
        self._username = username

    def by_username(self, username: str) -> LocalUser | None:
        """Return the user whose phones authenticate as ``username``."""
        own = self._own.by_username(username)
        if own is not None:
            return own
        device = self.devices.get(username.removeprefix(f"{self._username}."))
        user = self._own.by_username(self._username)
        if device is None or user is None or username != account_name(user, device):
            return None
        return replace(
            user,
            secret=device.secret,
            device=device.name,
            may_be_plain=device.plain,
            by_dtls=device.srtp == "dtls",
        )

    def by_uri(self, uri: str) -> LocalUser | None:
        """Return the user who is called by ``uri``."""
        return self._own.by_uri(uri)


def account_name(user: LocalUser, device: Device) -> str:
    """Return the name that a device authenticates with."""
    return f"{user.username}.{device.name}"


class DeviceDesk:
    """What the user asks about devices. The door is open while one is paired that comes over TLS.

    ``plain_at`` is where phones without TLS register, HOST:PORT. A change is on disk before the method returns.
    """

    def __init__(
        self,
        data: DataDirectory,
        user: LocalUser,
        domain: str,
        accounts: DeviceAccounts,
        emit: Callable[..., object],
        clock: Callable[[], float],
        *,
        door: Door,
        plain_at: str,
    ) -> None:
        """Load them; raise `DeviceRefused` when the file is damaged."""
        self._store = data.file(DEVICES_FILE)
        self._certificate = data.file(CERTIFICATE_FILE)
        self._user = user
        self._domain = domain
        self.accounts = accounts
        self._emit = emit
        self._clock = clock
        self._wanted = door
        self._plain_at = plain_at
        self._gateway: Devices | None = None
        self._port = 0
        self._seen: dict[str, float] = {}
        raw = self._store.load()
        try:
            accounts.devices = {} if raw is None else _parse(json.loads(raw))
        except (ValueError, KeyError, TypeError) as error:
            raise DeviceRefused(
                f"{self._store.path} has your paired phones, and cannot be read. Remove it, and pair them anew."
            ) from error

    async def open(self, gateway: Devices) -> None:
        """Open the door, if a device is paired that needs it; raise `FreeCallError` when the port is taken."""
        self._gateway = gateway
        await self._see_to_door()

    def observe(self, event: Event) -> None:
        """Note when a device was there last."""
        if event.name == "phone_registered" and event["device"]:
            self._seen[event["device"]] = event.at

    def all(self) -> list[dict[str, Any]]:
        """Return the devices by name: ``name``, ``since``, ``plain``, ``srtp``, ``seen`` (None: not yet)."""
        return [self._shown(device) for _, device in sorted(self.accounts.devices.items())]

    async def add(self, name: str, *, plain: bool = False, srtp: str = "sdes") -> dict[str, Any]:
        """Pair a device; return it with ``account``, what the phone must know, secret included: it is shown once.

        Raises:
            FreeCallError: the name is malformed or taken, there are too many, no port is free, or the disk refuses.
        """
        if not _NAME.fullmatch(name):
            raise DeviceRefused("A device is called by a word of letters, digits, - and _, such as kitchen.")
        if name in self.accounts.devices:
            raise DeviceRefused(f"There is a device {name} already. Revoke it first, or choose another name.")
        if len(self.accounts.devices) >= MAX_DEVICES:
            raise DeviceRefused(f"No more than {MAX_DEVICES} devices can be paired.")
        if not _is_srtp(srtp):
            raise DeviceRefused("The keys of a phone's SRTP are agreed on by sdes or dtls.")
        device = Device(name, self._clock(), plain, secrets.token_urlsafe(SECRET_BYTES), srtp)
        self._keep({**self.accounts.devices, name: device})
        await self._see_to_door()
        self._emit("device_paired", device=name, plain=plain)
        return {**self._shown(device), "account": self._account(device)}

    async def revoke(self, name: str) -> None:
        """Forget a device: its calls and registrations end at once; raise `DeviceRefused` when there is none."""
        if name not in self.accounts.devices:
            raise DeviceRefused(f"There is no device {name[:32]}.")
        self._keep({each: device for each, device in self.accounts.devices.items() if each != name})
        if self._gateway is not None:
            self._gateway.unpair(name)
        self._seen.pop(name, None)
        await self._see_to_door()
        self._emit("device_revoked", device=name)

    def certificate(self) -> dict[str, str]:
        """Return the certificate that devices meet: ``pem`` without its key, and ``fingerprint`` (SHA-256)."""
        pem = self._pem().decode()
        public = pem[pem.index("-----BEGIN CERTIFICATE") :]
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(public))
        return {"pem": public, "fingerprint": digest.hexdigest().upper()}

    # -- the door

    async def _see_to_door(self) -> None:
        """Open it for the first device, shut it behind the last."""
        needed = any(not device.plain for device in self.accounts.devices.values())
        if self._gateway is None or needed == bool(self._port):
            return
        if not needed:
            self._gateway.stop_listening()
            self._port = 0
            return
        self._pem()
        port = free_port([self._wanted.host], self._wanted.port, exact=self._wanted.exact)
        try:
            self._port = await self._gateway.listen(
                self._wanted.host, port, phone_context(self._certificate.path)
            )
        except OSError as error:
            raise DeviceRefused(
                f"Phones on the LAN cannot come in at port {port} ({reason(error)}). Set [phones] lan."
            ) from error

    def _pem(self) -> bytes:
        """Return key and certificate, made when they are needed first."""
        pem = self._certificate.load()
        if pem is None:
            now = datetime.datetime.fromtimestamp(self._clock(), datetime.UTC)
            pem = phone_certificate(self._user.username, now)
            self._certificate.save(pem)
        return pem

    # -- the list

    def _keep(self, devices: dict[str, Device]) -> None:
        rows = [asdict(device) for device in devices.values()]
        try:
            self._store.save(json.dumps({"version": VERSION, "devices": rows}, indent=1).encode() + b"\n")
        except OSError as error:
            raise DeviceRefused(f"It could not be saved ({reason(error)}).") from error
        self.accounts.devices = devices

    def _shown(self, device: Device) -> dict[str, Any]:
        return {
            "name": device.name,
            "since": device.since,
            "plain": device.plain,
            "srtp": device.srtp,
            "seen": self._seen.get(device.name),
        }

    def _account(self, device: Device) -> dict[str, Any]:
        transport = "udp" if device.plain else "tls"
        account = SipAccount(
            self._plain_at if device.plain else self._address(),
            self._user.username,
            self._domain,
            device.secret,
            login=account_name(self._user, device),
            transport=transport,
            by_dtls=device.srtp == "dtls",
        )
        return {
            "address": account.address,
            "username": account.username,
            "login": account.login,
            "domain": account.domain,
            "secret": account.secret,
            "transport": transport,
            "files": rendered(account),
            **({} if device.plain else self.certificate()),
        }

    def _address(self) -> str:
        """Return where a phone finds the door: the configured address, else the first that others can reach."""
        return str(reachable_endpoints([Endpoint(self._wanted.host, self._port)])[0])


def _parse(content: Any) -> dict[str, Device]:
    if content["version"] != VERSION:
        raise ValueError("unknown version")
    devices = [Device(**row) for row in content["devices"]]
    for device in devices:
        is_sound = _NAME.fullmatch(device.name) and device.secret and type(device.plain) is bool
        if not (is_sound and _is_srtp(device.srtp)):
            raise ValueError("no device")
    return {device.name: device for device in devices}


def _is_srtp(word: object) -> TypeGuard[Srtp]:
    return word in get_args(Srtp)
