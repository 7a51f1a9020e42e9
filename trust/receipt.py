"""Receipts of calls: signed by one side, kept by the other, and checked by anybody with plain gpg."""

from .errors import BadKey, BadSignature, ReceiptRefused
from .keyring import Keyring, Verifier
from .protocol.receipt import Receipt

__all__ = ["Receipt", "ReceiptRefused", "check_receipt", "sign_receipt"]

_LENGTH = 2


async def sign_receipt(keyring: Keyring, receipt: Receipt) -> bytes:
    """Return the receipt with our detached signature behind it, as it goes to the other side.

    Raises:
        KeyringError: the own key cannot sign now.
    """
    text = bytes(receipt)
    return len(text).to_bytes(_LENGTH, "big") + text + await keyring.sign(text)


async def check_receipt(
    verifier: Verifier, data: bytes, expected: Receipt, key: bytes, fingerprint: str
) -> tuple[bytes, bytes]:
    """Return text and signature, when the owner of ``key`` signed this very call; ``expected`` is what we say of it.

    The times are the signer's own and may be others than ours.

    Raises:
        ReceiptRefused: anything else.
    """
    size = _LENGTH + int.from_bytes(data[:_LENGTH], "big")
    text, signature = data[_LENGTH:size], data[size:]
    receipt = Receipt.parse(text)
    if receipt.call != expected.call or receipt.signer == expected.signer:
        raise ReceiptRefused("it is of another call")
    try:
        signer = await verifier.verify(text, signature, key)
    except (BadKey, BadSignature) as error:
        raise ReceiptRefused(str(error).rstrip(".")) from error
    if signer != fingerprint:
        raise ReceiptRefused("it is signed by another key")
    return text, signature
