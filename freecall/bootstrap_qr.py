"""A bootstrap list as a QR code: 300 bytes at most, so that a phone reads it from a screen or a poster at once."""

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape

import segno

from overlay.protocol.bootstrap_list import BootstrapList, SignedList
from overlay.protocol.bootstrap_text import to_word
from trust.keyring import Keyring

from .bootstrap import sign_list

MAX_QR_BYTES = 300
QUIET_ZONE = 4
CAPTION_LINE = 2.4
WHITE_ON_BLACK, PLAIN = "\x1b[97;40m", "\x1b[0m"


@dataclass(frozen=True)
class QrCode:
    """What one code holds: ``word``, with so many of the list's nodes, signed or not."""

    word: str
    made: BootstrapList
    of_nodes: int
    signed: bool

    @property
    def caption(self) -> str:
        """What stands below the code, for people: which network, how many nodes, of which day."""
        day = datetime.fromtimestamp(self.made.created, UTC).date()
        count = len(self.made.entries)
        return f"{self.made.name} · {count} node{'s' if count != 1 else ''} · {day.isoformat()}"

    def terminal(self, *, coloured: bool) -> str:
        """Return the code in half blocks: light on dark, by colours where the terminal has them."""
        out = io.StringIO()
        self._symbol().terminal(out=out, border=QUIET_ZONE // 2, compact=True)
        if not coloured:
            return out.getvalue()
        return "".join(f"{WHITE_ON_BLACK}{line}{PLAIN}\n" for line in out.getvalue().splitlines())

    def svg(self) -> str:
        """Return the code with its caption, to print at any size."""
        symbol = self._symbol()
        drawn = io.BytesIO()
        symbol.save(
            drawn, kind="svg", border=QUIET_ZONE, xmldecl=False, svgns=False, omitsize=True, light="#fff"
        )
        width, height = symbol.symbol_size(border=QUIET_ZONE)
        inner = drawn.getvalue().decode().strip()
        inner = inner.replace("<svg ", f'<svg width="{width}" height="{height}" ', 1)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height + CAPTION_LINE}">\n'
            f"<title>{escape(self.caption)}</title>\n"
            f'<rect width="{width}" height="{height + CAPTION_LINE}" fill="#fff"/>\n{inner}\n'
            f'<text x="{width / 2}" y="{height}" font-family="sans-serif" font-size="2.6" '
            f'text-anchor="middle">{escape(self.caption)}</text>\n</svg>\n'
        )

    def _symbol(self) -> segno.QRCode:
        return segno.make(self.word, error="l", micro=False)


def fitting(made: BootstrapList, signature_bytes: int) -> int | None:
    """Return how many nodes fit beside a signature of this size; None when not even one does."""
    fits = None
    for count in range(min(1, len(made.entries)), len(made.entries) + 1):
        short = SignedList(bytes(made.shortened(count)), bytes(signature_bytes))
        if len(to_word(bytes(short))) > MAX_QR_BYTES:
            break
        fits = count
    return fits


async def make_qr(made: BootstrapList, keyring: Keyring | None) -> QrCode | None:
    """Return the code with as many of the best nodes as fit, signed if there is a keyring and its signatures fit.

    None when the network's name and key alone take too much room.

    Raises:
        KeyringError: the key cannot sign now.
    """
    if keyring is not None:
        size = len((await sign_list(made.shortened(0), keyring, with_key=False)).signature)
        count = fitting(made, size)
        if count is not None:
            short = made.shortened(count)
            signed = await sign_list(short, keyring, with_key=False)
            return QrCode(to_word(bytes(signed)), short, len(made.entries), signed=True)
    count = fitting(made, 0)
    if count is None:
        return None
    short = made.shortened(count)
    return QrCode(to_word(bytes(SignedList(bytes(short)))), short, len(made.entries), signed=False)


def qr_as_it_is(signed: SignedList) -> QrCode | None:
    """Return the code of a list that is short enough already, with the signature that it has; None when it is not."""
    word = to_word(bytes(signed))
    made = signed.content
    if len(word) > MAX_QR_BYTES:
        return None
    return QrCode(word, made, len(made.entries), signed=bool(signed.signature))
