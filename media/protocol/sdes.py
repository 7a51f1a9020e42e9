"""Keys of SRTP in a description: the crypto attribute of RFC 4568, with the suites of RFC 4568 and RFC 7714."""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

KEY_AND_SALT_BYTES = {
    "AEAD_AES_256_GCM": 44,
    "AEAD_AES_128_GCM": 28,
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
}
"""The suites, by their names in SDP, in the order in which we offer them: master key and master salt together."""

MAX_ATTRIBUTES = 16
MAX_VALUE = 512
_VALUE = re.compile(
    r"(?P<tag>[0-9]{1,9}) (?P<suite>[A-Za-z0-9_]{1,64}) inline:(?P<key>[A-Za-z0-9+/]{1,96}={0,2})"
    r"(?:\|(?:2\^[0-9]{1,2}|[0-9]{1,19}))?"
    r"(?P<parameters>(?: [!-~]{1,64})*) *"
)
_HARMLESS = re.compile(r"WSH=[0-9]{2,6}|KDR=0")


@dataclass(frozen=True)
class Crypto:
    """One usable crypto attribute: `key` is the master key and salt that its sender encrypts with."""

    tag: int
    suite: str
    key: bytes = field(repr=False)

    @classmethod
    def parse(cls, value: str) -> "Crypto | None":
        """Return what a value says; None when it cannot be used here.

        That is: an unknown suite, several keys, an MKI, or session parameters that change what is on the wire
        (RFC 4568 section 6.3: what is not understood must not be used).
        """
        fields = _VALUE.fullmatch(value) if len(value) <= MAX_VALUE else None
        if fields is None or fields["suite"] not in KEY_AND_SALT_BYTES:
            return None
        if not all(_HARMLESS.fullmatch(each) for each in fields["parameters"].split()):
            return None
        try:
            key = base64.b64decode(fields["key"], validate=True)
        except binascii.Error:
            return None
        if len(key) != KEY_AND_SALT_BYTES[fields["suite"]]:
            return None
        return cls(int(fields["tag"]), fields["suite"], key)

    def value(self) -> str:
        """Return the value of the attribute."""
        return f"{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode()}"

    def line(self) -> str:
        """Return the whole line of a description."""
        return f"a=crypto:{self.value()}"


def usable(values: Iterable[str]) -> tuple[Crypto, ...]:
    """Return the usable ones, in their sender's order; of a tag that comes twice the first."""
    found: dict[int, Crypto] = {}
    for _, value in zip(range(MAX_ATTRIBUTES), values, strict=False):
        crypto = Crypto.parse(value)
        if crypto is not None:
            found.setdefault(crypto.tag, crypto)
    return tuple(found.values())
