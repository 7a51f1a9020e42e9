"""Letters between people: signed by the one, then encrypted to the other. Nodes only carry them."""

from .errors import BadSignature, LetterRefused
from .keyring import Keyring, Verifier
from .protocol.letter import MAX_BODY_BYTES, Letter, SignedLetter

__all__ = [
    "MAX_BODY_BYTES",
    "Letter",
    "LetterRefused",
    "SignedLetter",
    "check_letter",
    "open_letter",
    "seal_letter",
]


async def seal_letter(keyring: Keyring, letter: Letter, recipient_key: bytes) -> bytes:
    """Return ``letter`` signed by the own key and encrypted to ``recipient_key``, a binary public key.

    Raises:
        KeyringError: the own key cannot sign now.
        BadKey: nothing can be encrypted to the recipient's key, or it is not the one that the letter is for.
    """
    info = await keyring.inspect(recipient_key)
    if info.fingerprint != letter.recipient_fingerprint:
        raise LetterRefused("it is for another key than the one to encrypt to")
    signature = await keyring.sign(letter.statement())
    return await keyring.encrypt_to(recipient_key, bytes(SignedLetter(letter, signature)))


async def open_letter(keyring: Keyring, sealed: bytes) -> SignedLetter:
    """Return what is in ``sealed``; who wrote it is for `check_letter`.

    Raises:
        Unreadable: it is not encrypted to the own key.
        LetterRefused: what is inside is no letter, or one that was written to somebody else and handed on.
        KeyringError: the own key cannot be used now.
    """
    signed = SignedLetter.parse(await keyring.decrypt(sealed))
    if signed.letter.recipient_fingerprint != keyring.fingerprint:
        raise LetterRefused("it was written to somebody else")
    return signed


async def check_letter(verifier: Verifier, signed: SignedLetter, key: bytes, *, sender: str) -> str:
    """Return the fingerprint of ``key`` if it signed the letter, and the letter says that ``sender`` wrote it.

    Raises:
        LetterRefused: it did not, or another name stands in the letter.
        BadKey: ``key`` is not one usable public key.
    """
    if signed.letter.sender != sender:
        raise LetterRefused("another sender stands in it")
    try:
        return await verifier.verify(signed.letter.statement(), signed.signature, key)
    except BadSignature as error:
        raise LetterRefused("it is not signed by the person who sends it") from error
