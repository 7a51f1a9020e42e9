"""Message waiting, as phones read it."""

from sipgate.protocol.message_summary import Waiting, compose

ACCOUNT = "sip:alice@mesh"


def test_nothing_waits() -> None:
    assert compose(ACCOUNT, []) == (
        b"Messages-Waiting: no\r\nMessage-Account: sip:alice@mesh\r\nVoice-Message: 0/0 (0/0)\r\n"
    )


def test_each_call_is_listed_the_latest_first() -> None:
    body = compose(ACCOUNT, [Waiting(f'"{n}" <sip:{n}@mesh>', "missed call", n) for n in range(12)]).decode()
    assert "Messages-Waiting: yes\r\n" in body
    assert 'Voice-Message: 12/0 (0/0)\r\n\r\nFrom: "11" <sip:11@mesh>\r\nSubject: missed call\r\n' in body
    assert "Date: Thu, 01 Jan 1970 00:00:11 GMT\r\n" in body
    assert body.count("From: ") == 10
