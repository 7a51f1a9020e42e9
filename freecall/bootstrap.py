"""Who signed a bootstrap list, and whether we know them: the list is the overlay's, the signature is OpenPGP's."""

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace

from overlay.protocol.bootstrap_list import BootstrapList, ListRefused, SignedList
from trust.errors import BadKey, BadSignature
from trust.keyring import Keyring, Verifier
from trust.protocol.statement import statement
from trust.short_signature import check_short, fingerprints, issuer, sign_short

PURPOSE = b"freecall-bootstrap-1"
OWN = "you"


class Standing(enum.Enum):
    """What a signature is worth to us."""

    UNSIGNED = "unsigned"
    KNOWN = "known"
    STRANGER = "stranger"
    UNCHECKED = "unchecked"


@dataclass(frozen=True)
class KnownKey:
    """A key that we have, and whose it is in the user's words: ``alice@mesh``, ``you``."""

    whose: str
    key: bytes


@dataclass(frozen=True)
class Verdict:
    """Who signed a list. ``whose`` is empty for strangers; ``doubt`` is what a date says against the signature.

    For an unchecked signature, whose key is not at hand, ``fingerprint`` is what the signature says, maybe a subkey's.
    """

    standing: Standing
    fingerprint: str = ""
    whose: str = ""
    user_ids: tuple[str, ...] = ()
    doubt: str = ""


class Tampered(ListRefused):
    """The signature does not fit the list: somebody has changed one of them."""

    def __init__(self, error: Exception) -> None:
        why = str(error).rstrip(".").rpartition(": ")[2]
        super().__init__(
            f"its signature is not right ({why}). Somebody may have changed it: get it anew, from whom you trust"
        )


async def sign_list(made: BootstrapList, keyring: Keyring, *, with_key: bool = True) -> SignedList:
    """Return ``made`` signed; ``with_key`` also puts the public key into it, so that strangers can check.

    Raises:
        KeyringError: the key cannot sign now.
    """
    body = bytes(replace(made, signer_key=await keyring.export() if with_key else b""))
    return SignedList(body, await sign_short(keyring, statement(PURPOSE, body)))


async def judge(signed: SignedList, verifier: Verifier, known: Iterable[KnownKey]) -> Verdict:
    """Say who signed a list; a date that looks wrong is told, and refuses nothing.

    Raises:
        Tampered: the signature is not one by its key over this list.
    """
    if not signed.signature:
        return Verdict(Standing.UNSIGNED)
    text = statement(PURPOSE, signed.body)
    try:
        named = issuer(signed.signature, text)
        carried = signed.content.signer_key
        owner = next((one for one in known if named in fingerprints(one.key)), None)
        if not carried and owner is None:
            return Verdict(Standing.UNCHECKED, named)
        key = carried or (owner.key if owner else b"")
        signer = await check_short(verifier, text, signed.signature, key)
        user_ids = (await verifier.inspect(key)).user_ids if not signer.doubt else ()
    except (BadKey, BadSignature) as error:
        raise Tampered(error) from error
    if owner is not None and fingerprints(owner.key)[0] == signer.fingerprint:
        return Verdict(Standing.KNOWN, signer.fingerprint, owner.whose, user_ids, signer.doubt)
    return Verdict(Standing.STRANGER, signer.fingerprint, "", user_ids, signer.doubt)
