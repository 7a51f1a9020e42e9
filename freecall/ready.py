"""What a node says of itself when it is ready (docs/events.md)."""

from typing import Any

from overlay.addresses import reachable_endpoints
from overlay.protocol.endpoint import Endpoint

from . import __version__
from .identity import Identity
from .listen import Ports
from .mesh_uri import DOMAIN
from .provisioning import SipAccount, write_provisioning
from .store import DataDirectory


def ready_fields(identity: Identity, ports: Ports, data: DataDirectory, control: str) -> dict[str, Any]:
    """Return the fields of `ready` but those of networks and browser; writes the files that phones read."""
    account = SipAccount(
        address=str(Endpoint(ports.sip_host, ports.sip)),
        username=identity.name,
        domain=DOMAIN,
        secret=identity.sip_secret,
    )
    return {
        "version": __version__,
        "name": identity.name,
        "unlisted": identity.unlisted,
        "uri": identity.uri,
        "self_certifying_uri": identity.long_uri,
        "fingerprint": identity.keyring.fingerprint,
        "node_id": identity.node_key.node_id.hex(),
        "node_public_key": identity.node_key.public_key.hex(),
        "mesh": [str(endpoint) for endpoint in reachable_endpoints(ports.mesh_endpoints())],
        "sip": {
            **{name: getattr(account, name) for name in ("address", "username", "domain", "secret")},
            "transports": ["udp", "tcp"],
        },
        "control": control,
        "data": str(data.path),
        "provisioning": write_provisioning(data, account),
    }
