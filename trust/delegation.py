"""Making and checking delegations: the user's OpenPGP key says which node speaks for them."""

from .errors import BadSignature, DelegationRefused
from .keyring import Keyring, Verifier
from .protocol.delegation import MAX_BYTES, SLACK_SECONDS, Delegation, SignedDelegation

__all__ = [
    "MAX_BYTES",
    "SLACK_SECONDS",
    "Delegation",
    "DelegationRefused",
    "SignedDelegation",
    "check",
    "delegate",
]


async def delegate(keyring: Keyring, delegation: Delegation) -> SignedDelegation:
    """Sign ``delegation`` with the user's key.

    Raises:
        KeyringError: the key cannot sign now.
        DelegationRefused: the signature is too large to be published.
    """
    signature = await keyring.sign(delegation.statement())
    signed = SignedDelegation(delegation, keyring.fingerprint, signature)
    if len(bytes(signed)) > MAX_BYTES:
        raise DelegationRefused(
            f"the key's signatures take {len(signature)} bytes; use an elliptic-curve key"
        )
    return signed


async def check(
    verifier: Verifier, signed: SignedDelegation, key: bytes, *, now: float, uri: str, node_public_key: bytes
) -> None:
    """Make sure that the OpenPGP ``key`` lets ``node_public_key`` claim ``uri`` at ``now`` (Unix seconds).

    Raises:
        DelegationRefused: it does not.
        BadKey: ``key`` is not one usable transferable public key.
    """
    delegation = signed.delegation
    if delegation.node_public_key != node_public_key:
        raise DelegationRefused("it names another node")
    if not delegation.covers(uri, signed.fingerprint):
        raise DelegationRefused("it is for another address")
    if delegation.is_expired(now):
        raise DelegationRefused("it has expired; the other person's node has to make a new one")
    try:
        signer = await verifier.verify(delegation.statement(), signed.signature, key)
    except BadSignature as error:
        raise DelegationRefused(str(error).rstrip(".")) from error
    if signer != signed.fingerprint:
        raise DelegationRefused("it is signed by another key than it says")
