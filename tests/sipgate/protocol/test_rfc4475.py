"""The torture messages of RFC 4475: each valid one survives untouched, each invalid one gets its status.

What a gateway answers to each, also where only who serves the request can judge: tests/sipgate/test_torture.py.
"""

from pathlib import Path

import pytest

from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Request, Response, parse_message
from sipgate.protocol.validate import validate_request

VECTORS = Path(__file__).parents[2] / "vectors" / "rfc4475"

VALID = [
    # section 3.1.1: syntactically valid
    *(
        "wsinv",
        "intmeth",
        "esc01",
        "escnull",
        "esc02",
        "lwsdisp",
        "longreq",
        "semiuri",
        "transports",
        "mpart01",
    ),
    *("unreason", "noreason"),
    # 3.1.2.12: "a proxy or registrar may ignore the Date"; 3.2.1: no magic cookie is valid, compared as RFC 2543 did
    *("baddate", "badbranch"),
    # 3.3: right for a parser, judged by whoever serves the request (420, 401, 415, 406, 483, 404 or 200)
    *(
        "bext01",
        "regaut01",
        "invut",
        "sdp01",
        "zeromf",
        "unksm2",
        "cparam01",
        "cparam02",
        "regescrt",
        "bcast",
    ),
    # 3.4: RFC 2543
    "inv2543",
]
INVALID = {
    "badinv01": 400,
    "clerr": 400,
    "ncl": 400,
    "scalar02": 400,
    "scalarlg": 400,  # a response: what was read of it is dropped
    "quotbal": 400,
    "ltgtruri": 400,
    "lwsruri": 400,
    "lwsstart": 400,
    "trws": 400,
    "escruri": 400,
    "regbadct": 400,
    "badaspec": 400,
    "baddn": 400,
    "badvers": 505,
    "mismatch01": 400,
    "mismatch02": 400,  # 400 or 501, says the RFC
    "bigcode": 400,
    "insuf": 400,
    "unkscm": 416,
    "novelsc": 416,
    "multi01": 400,
    "mcl01": 400,
}
TWO_IN_ONE = "dblreq"  # the second request of the datagram is extraneous and dropped (3.1.1.8)


def read(name: str) -> bytes:
    return (VECTORS / f"{name}.dat").read_bytes()


def judge(data: bytes) -> Request | Response:
    """Do what the stack does with every message before anything else looks at it."""
    message = parse_message(data)
    if isinstance(message, Request):
        validate_request(message)
    _ = message.vias, message.from_, message.to, message.cseq, message.call_id, message.contacts
    return message


def test_all_49_messages_are_here_and_each_is_judged() -> None:
    names = {path.stem for path in VECTORS.glob("*.dat")}
    assert len(names) == 49
    assert names == {*VALID, *INVALID, TWO_IN_ONE}


@pytest.mark.parametrize("name", VALID)
def test_a_valid_message_survives_untouched(name: str) -> None:
    assert bytes(judge(read(name))) == read(name)


@pytest.mark.parametrize(("name", "status"), INVALID.items())
def test_an_invalid_message_gets_the_recommended_status(name: str, status: int) -> None:
    with pytest.raises(SipError) as caught:
        judge(read(name))
    assert caught.value.status == status


def test_of_two_requests_in_a_datagram_the_first_is_read() -> None:
    message = judge(read(TWO_IN_ONE))
    assert isinstance(message, Request)
    assert message.method == "REGISTER"
    assert read(TWO_IN_ONE).startswith(bytes(message))


def test_what_the_messages_say_is_understood() -> None:
    tortuous = judge(read("wsinv"))
    assert [via.host for via in tortuous.vias] == ["192.0.2.2", "spindle.example.com", "192.168.255.111"]
    assert tortuous.cseq.number == 9
    assert tortuous.max_forwards == 68
    assert tortuous.to.tag == "1918181833n"
    assert tortuous.from_.tag == "98asjd8"
    strange = judge(read("intmeth"))
    assert isinstance(strange, Request)
    assert strange.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert isinstance(judge(read("unreason")), Response)
    many = judge(read("longreq"))
    assert len(many.vias) == 34
