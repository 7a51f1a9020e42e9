"""Small valid messages for tests of transactions and transports."""

from sipgate.protocol.message import Request

URI = "sip:bob@mesh"


def request(
    method: str,
    *,
    number: int = 1,
    branch: str | None = "z9hG4bK-1",
    call_id: str = "call-1",
    from_tag: str = "alice-1",
    to_tag: str | None = None,
    sent_by: str = "192.0.2.1:5060",
    transport: str = "UDP",
    uri: str = URI,
) -> Request:
    """A request of alice to bob; without Via when `branch` is None, without branch when it is empty."""
    message = Request(method, uri)
    if branch is not None:
        parameter = f";branch={branch}" if branch else ""
        message.headers.add("Via", f"SIP/2.0/{transport} {sent_by}{parameter};rport")
    message.headers.add("Max-Forwards", "70")
    message.headers.add("From", f"<sip:alice@mesh>;tag={from_tag}")
    message.headers.add("To", "<sip:bob@mesh>" + (f";tag={to_tag}" if to_tag else ""))
    message.headers.add("Call-ID", call_id)
    message.headers.add("CSeq", f"{number} {method}")
    message.headers.add("Contact", "<sip:alice@192.0.2.1:5060>")
    message.headers.add("Content-Length", "0")
    return message
