"""Lists from files, typed lines, codes and web servers, the hostile ones too."""

import io
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from freecall.bootstrap_source import SourceUnreadable, Way, fetch, read_list, read_source
from overlay.protocol.bootstrap_list import BootstrapList, Entry, ListRefused, SignedList
from overlay.protocol.bootstrap_text import MAX_TEXT, to_lines, to_word
from overlay.protocol.endpoint import Endpoint

SIGNED = SignedList(bytes(BootstrapList("flood", (Entry(Endpoint("192.0.2.1", 7350)),), 1_780_000_000)))
LINES = "\n".join(["Free Call bootstrap list: flood", *to_lines(bytes(SIGNED))])
NOTHING = io.BytesIO()


@contextmanager
def server(answer: bytes, status: int = 200, **headers: str) -> Iterator[str]:
    """Serve one answer on the loopback; yield its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(answer)
            except (BrokenPipeError, ConnectionResetError):
                return

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{web.server_address[1]}/nodes.fclist"
    finally:
        web.shutdown()
        thread.join()
        web.server_close()


@pytest.mark.parametrize(
    "data",
    [
        bytes(SIGNED),
        LINES.encode(),
        to_word(bytes(SIGNED)).encode(),
        b"\n " + to_word(bytes(SIGNED)).encode() + b"\r\n",
    ],
)
def test_all_forms_are_the_same_list(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "list"
    file.write_bytes(data)
    assert read_source(str(file), NOTHING) == (SIGNED, Way.HAND)
    assert read_source("-", io.BytesIO(data)) == (SIGNED, Way.HAND)


def test_a_code_can_be_given_itself() -> None:
    assert read_source(to_word(bytes(SIGNED)), NOTHING) == (SIGNED, Way.HAND)


def test_a_mistyped_line_is_a_sentence() -> None:
    with pytest.raises(SourceUnreadable, match="Line 2 is mistyped"):
        read_list(LINES.replace("\n2  ", "\n2  0").encode())


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\xff" * 100, b"fc1:", b"fc1:AAAA", b"<html>", b"\x93\xc4\x00"]
)
def test_what_is_no_list_is_refused(data: bytes) -> None:
    with pytest.raises(ListRefused):
        read_list(data)


def test_a_missing_or_endless_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="cannot be read"):
        read_source(str(tmp_path / "none"), NOTHING)
    with pytest.raises(SourceUnreadable, match="cannot be read"):
        read_source(str(tmp_path), NOTHING)
    with pytest.raises(ListRefused, match="larger"):
        read_source("/dev/zero", NOTHING)


def test_a_list_is_fetched() -> None:
    for data in (bytes(SIGNED), LINES.encode()):
        with server(data) as url:
            assert read_source(url, NOTHING) == (SIGNED, Way.HTTP)


def test_an_error_page_is_a_sentence() -> None:
    with server(b"", 404) as url, pytest.raises(SourceUnreadable, match="answered 404"):
        fetch(url)


def test_an_endless_page_is_refused() -> None:
    with server(bytes(MAX_TEXT + 1)) as url, pytest.raises(SourceUnreadable, match="larger"):
        fetch(url)


def test_a_page_that_drips_is_refused() -> None:
    clock = itertools.count(0.0, 30.0).__next__
    with server(bytes(100)) as url, pytest.raises(SourceUnreadable, match="longer than 10 seconds"):
        fetch(url, clock=clock)


def test_nobody_there_is_a_sentence() -> None:
    with server(b"") as url:
        pass
    with pytest.raises(SourceUnreadable, match=r"cannot be fetched \(Connection refused\)"):
        fetch(url)


def test_a_redirection_to_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(bytes(SIGNED))
    with server(b"", 302, Location=f"file://{tmp_path}/list") as url, pytest.raises(SourceUnreadable):
        fetch(url)
