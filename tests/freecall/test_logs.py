import logging

import pytest

from freecall.logs import RedactingFormatter, redact


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("call to sip:bob@mesh failed", "call to <uri> failed"),
        ("bob@mesh is away", "<name> is away"),
        ("key " + "AB12" * 10, "key <key>"),
        ("at 192.0.2.7:5060", "at <address>:5060"),
        ("at [2001:db8::1]:5060", "at [<address>]:5060"),
        ("took 12:30:45 s", "took 12:30:45 s"),
    ],
)
def test_personal_data_is_taken_out(secret: str, shown: str) -> None:
    assert redact(secret) == shown


def test_tracebacks_are_redacted_too() -> None:
    formatter = RedactingFormatter("%(message)s")
    error = ValueError("sip:carol@mesh")
    record = logging.LogRecord(
        "x", logging.ERROR, __file__, 1, "call failed", None, (ValueError, error, None)
    )
    assert "carol" not in formatter.format(record)
    assert "ValueError" in formatter.format(record)
