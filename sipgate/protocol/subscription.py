"""The headers of event notification: Event and Subscription-State (RFC 6665 8.2)."""

from dataclasses import dataclass

from .scanner import WSP, bad, is_token, parse_parameters

MAX_SECONDS = 2**32 - 1


@dataclass(frozen=True)
class EventType:
    """What is subscribed to: the package in lower case, and the `id` that tells subscriptions of one dialog apart."""

    package: str
    id: str | None = None

    @classmethod
    def parse(cls, text: str) -> "EventType":
        """Read an Event value; other parameters are dropped.

        Raises:
            SipError: malformed.
        """
        package, semicolon, rest = text.partition(";")
        package = package.strip(WSP).lower()
        if not is_token(package):
            raise bad("Event")
        return cls(package, parse_parameters(semicolon + rest, "Event").get("id"))

    def __str__(self) -> str:
        return self.package if self.id is None else f"{self.package};id={self.id}"


@dataclass(frozen=True)
class SubscriptionState:
    """Where a subscription stands: `active`, `pending`, `terminated`, or an extension, which counts as active.

    `expires` and `retry_after` are seconds. A parameter that cannot be read is as if it were not there.
    """

    value: str
    expires: int | None = None
    reason: str | None = None
    retry_after: int | None = None

    @classmethod
    def parse(cls, text: str) -> "SubscriptionState":
        """Read a Subscription-State value.

        Raises:
            SipError: malformed.
        """
        value, semicolon, rest = text.partition(";")
        value = value.strip(WSP).lower()
        if not is_token(value):
            raise bad("Subscription-State")
        parameters = parse_parameters(semicolon + rest, "Subscription-State")
        reason = parameters.get("reason")
        return cls(
            value,
            _seconds(parameters.get("expires")),
            reason.lower() if reason else None,
            _seconds(parameters.get("retry-after")),
        )

    def __str__(self) -> str:
        parts = [self.value]
        if self.reason is not None:
            parts.append(f"reason={self.reason}")
        if self.expires is not None:
            parts.append(f"expires={self.expires}")
        if self.retry_after is not None:
            parts.append(f"retry-after={self.retry_after}")
        return ";".join(parts)


def _seconds(text: str | None) -> int | None:
    if not text or len(text) > 10 or not text.isascii() or not text.isdigit():
        return None
    return min(int(text), MAX_SECONDS)
