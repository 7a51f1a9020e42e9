"""Message waiting, as phones read it."""

from sipgate.protocol.message_summary import MAX_BODY, Waiting, compose

ACCOUNT = "sip:alice@mesh"


def test_nothing_waits() -> None:
    assert compose(ACCOUNT, 0, []) == (
        b"Messages-Waiting: no\r\nMessage-Account: sip:alice@mesh\r\nVoice-Message: 0/0 (0/0)\r\n"
    )


def test_the_latest_are_listed_as_far_as_phones_can_read() -> None:
    body = compose(
        ACCOUNT, 12, (Waiting(f'"{n}" <sip:{n}@mesh>', "missed call", n) for n in reversed(range(12)))
    )
    assert body.startswith(b"Messages-Waiting: yes\r\n")
    assert b'Voice-Message: 12/0 (0/0)\r\n\r\nFrom: "11" <sip:11@mesh>\r\nSubject: missed call\r\n' in body
    assert b"Date: Thu, 01 Jan 1970 00:00:11 GMT\r\n" in body
    assert body.count(b"From: ") == 1
    assert len(body) <= MAX_BODY


def test_the_count_stands_there_when_no_name_fits() -> None:
    body = compose(ACCOUNT, 1, [Waiting("x" * 300, "missed call", 1)])
    assert body.endswith(b"Voice-Message: 1/0 (0/0)\r\n")
