"""Files that set up a phone in one step: the account of this node in each phone's own format."""

from collections.abc import Callable
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from .store import DataDirectory


@dataclass(frozen=True)
class SipAccount:
    """What a phone must know: where the node listens, the user, the secret and the domain.

    `login` is the name that it authenticates with, if that is another than the user's. Over TLS its media is SRTP,
    under keys that stand in the descriptions or come `by_dtls`.
    """

    address: str
    username: str
    domain: str
    secret: str = field(repr=False)
    login: str = ""
    transport: str = ""
    by_dtls: bool = False

    @property
    def auth_user(self) -> str:
        """The name to authenticate with."""
        return self.login or self.username

    @property
    def is_secure(self) -> bool:
        """Whether this is for TLS, and so for SRTP."""
        return self.transport == "tls"


def baresip(account: SipAccount) -> str:
    """Return a line for baresip's ``accounts`` file."""
    encryption = f";mediaenc={'dtls_srtp' if account.by_dtls else 'srtp-mand'}" if account.is_secure else ""
    return (
        f"<sip:{account.username}@{account.domain}>;auth_user={account.auth_user};auth_pass={account.secret}"
        f';outbound="sip:{account.address};transport={account.transport or "udp"}"'
        f"{encryption};regint=300\n"
    )


def linphone(account: SipAccount) -> str:
    """Return Linphone's remote provisioning XML (``--fetch-config``)."""
    transport = account.transport or "tcp"
    encryption = "dtls" if account.by_dtls else "srtp"
    entries = {
        "proxy_0": {
            "reg_proxy": f"<sip:{account.address};transport={transport}>",
            "reg_route": f"<sip:{account.address};transport={transport};lr>",
            "reg_identity": f"sip:{account.username}@{account.domain}",
            "realm": account.domain,
            "reg_expires": "300",
            "reg_sendregister": "1",
            "publish": "0",
        },
        "auth_info_0": {
            "username": account.username,
            "userid": account.auth_user,
            "passwd": account.secret,
            "realm": account.domain,
            "domain": account.domain,
        },
        "sip": {
            "default_proxy": "0",
            "media_encryption": encryption if account.is_secure else "none",
            "media_encryption_mandatory": "1" if account.is_secure else "0",
        },
    }
    sections = "\n".join(
        f'  <section name="{name}">\n'
        + "\n".join(
            f'    <entry name="{key}" overwrite="true">{escape(value)}</entry>'
            for key, value in values.items()
        )
        + "\n  </section>"
        for name, values in entries.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<config xmlns="http://www.linphone.org/xsds/lpconfig.xsd">\n'
        f"{sections}\n</config>\n"
    )


def twinkle(account: SipAccount) -> str:
    """Return a Twinkle profile (``~/.twinkle/NAME.cfg``)."""
    settings = {
        "user_name": account.username,
        "user_domain": account.domain,
        "auth_name": account.auth_user,
        "auth_pass": account.secret,
        "registrar": account.address,
        "outbound_proxy": account.address,
        "all_requests_to_proxy": "yes",
        "register_at_startup": "yes",
        "codecs": "g711a,g711u",
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())


FORMATS: dict[str, tuple[str, Callable[[SipAccount], str]]] = {
    "baresip": ("accounts", baresip),
    "Linphone": ("linphone.xml", linphone),
    "Twinkle": ("twinkle.cfg", twinkle),
}


def rendered(account: SipAccount) -> dict[str, str]:
    """Return phone name to the content of its file; of phones that cannot do what the account asks for, none."""
    able = {
        name: render for name, (_, render) in FORMATS.items() if not (account.is_secure and name == "Twinkle")
    }
    return {name: render(account) for name, render in able.items()}


def write_provisioning(data: DataDirectory, account: SipAccount) -> dict[str, str]:
    """Write each phone's file below ``phones/``; return phone name to path."""
    (data.path / "phones").mkdir(mode=0o700, exist_ok=True)
    written = {}
    for phone, (name, render) in FORMATS.items():
        store = data.file(f"phones/{name}")
        store.save(render(account).encode())
        written[phone] = str(store.path)
    return written
