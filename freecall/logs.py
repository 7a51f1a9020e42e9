"""Logging to standard error, without names, addresses or keys unless the user asks for them."""

import logging
import re

_PERSONAL = re.compile(
    r"(?P<uri>sips?:[^\s<>\"';]+)"
    r"|(?P<mail>[\w.+-]+@[\w.-]+)"
    r"|(?P<key>\b(?:[0-9A-Fa-f]{32,}|[a-z2-7]{32,})\b)"
    r"|(?P<v4>\b\d{1,3}(?:\.\d{1,3}){3}\b)"
    r"|(?P<v6>\b[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}:[0-9a-fA-F]{0,4}\b)"
)
TALKATIVE = ("gnupg",)
"""Libraries whose debug log holds keys and names in forms that no pattern finds."""

_LABEL = {"uri": "<uri>", "mail": "<name>", "key": "<key>", "v4": "<address>", "v6": "<address>"}


def redact(text: str) -> str:
    """Return ``text`` with URIs, names, keys and network addresses replaced by what they are."""
    return _PERSONAL.sub(lambda match: _LABEL[match.lastgroup or "uri"], text)


class RedactingFormatter(logging.Formatter):
    """Formats a record, traceback included, and takes the personal data out."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text fit for somebody else's eyes."""
        return redact(super().format(record))


def configure_logging(level: str, *, personal: bool) -> None:
    """Send logs of ``level`` and above to standard error."""
    layout = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(layout) if personal else RedactingFormatter(layout))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    if not personal:
        for name in TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
