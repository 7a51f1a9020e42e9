"""Errors that parsing and checking raise; `trust.errors` adds those of the drivers."""


class TrustError(Exception):
    """Something about a key, a signature or a pin is not as it must be."""


class BadKey(TrustError):
    """An OpenPGP public key cannot be used."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The OpenPGP key cannot be used: {why}.")


class BadSignature(TrustError):
    """An OpenPGP signature cannot be accepted."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The OpenPGP signature cannot be accepted: {why}.")


class DelegationRefused(TrustError):
    """A delegation does not show that this node speaks for this user."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The delegation is not valid: {why}.")


class BadUri(TrustError, ValueError):
    """A text is not a mesh URI in its canonical form."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text[:120]!r} is not an address of the form sip:name@mesh or sip:name@KEY.mesh.")


class Unreadable(TrustError):
    """An encrypted text cannot be read."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The encrypted text cannot be read: {why}.")


class LetterRefused(TrustError):
    """A letter is not what its sender says it is, or not for its reader."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The message is not valid: {why}.")


class IntroductionRefused(TrustError):
    """An introduction cannot be made, read or taken."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The introduction is not valid: {why}.")


class ReceiptRefused(TrustError):
    """A receipt is not what it should be."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The receipt is not valid: {why}.")
