"""A list as lines that can be read aloud, written on paper and typed, and as one word for a QR code.

The lines are in Crockford's base32 (https://www.crockford.com/base32.html): no U, and O, I, L are read as 0, 1, 1.
Each line carries ten bytes under its number and ends with a check over both, so that a mistyped line is named. The
check is CRC-10 (ITU-T I.610): it finds any wrong symbol and any two neighbours swapped.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence

from .bootstrap_list import MAX_LIST_BYTES, ListRefused

SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LINE_BYTES, LINE_SYMBOLS, GROUP = 10, 16, 4
LENGTH_BYTES, DIGEST_BYTES = 2, 4
CRC_10 = 0x633
QR_PREFIX = "fc1:"
MAX_TEXT = 4 * MAX_LIST_BYTES

_VALUES = {symbol: value for value, symbol in enumerate(SYMBOLS)} | {"O": 0, "I": 1, "L": 1}
# possessive, and of lines without space at their ends: one blank must not fit three places, or a long line takes hours
_LINE = re.compile(r"(\d{1,4})[ \t.:)]++([0-9A-Za-z \t-]+)")


class Mistyped(Exception):
    """A line is wrong or missing. The text names it, in a sentence for whoever typed."""


def to_lines(data: bytes) -> list[str]:
    """Return the lines for ``data``, such as ``1  G0M4-4VB9-5GPP-RSBE  7T``."""
    framed = len(data).to_bytes(LENGTH_BYTES, "big") + data
    framed += hashlib.sha256(framed).digest()[:DIGEST_BYTES]
    rows = [framed[at : at + LINE_BYTES] for at in range(0, len(framed), LINE_BYTES)]
    width = len(str(len(rows)))
    return [
        f"{number:>{width}}  {_grouped(_symbols(row))}  {_check(number, row)}"
        for number, row in enumerate(rows, 1)
    ]


def from_lines(text: str) -> bytes:
    """Read what `to_lines` wrote, in any order, with any spacing, in capitals or not; other lines are passed over.

    Raises:
        Mistyped: a line is wrong or missing.
        ListRefused: there is no such line at all, or far too much text.
    """
    if len(text) > MAX_TEXT:
        raise ListRefused("it is too long")
    rows: dict[int, bytes] = {}
    wrong: list[int] = []
    for line in text.splitlines():
        match = _LINE.fullmatch(line.strip())
        if match is None:
            continue
        number, row = int(match[1]), _row(int(match[1]), match[2])
        if row is None:
            wrong.append(number)
        elif rows.setdefault(number, row) != row:
            raise Mistyped(f"There are two different lines {number}.")
    wrong = sorted(set(wrong) - set(rows))
    if not rows and not wrong:
        raise ListRefused("it is no bootstrap list")
    if wrong:
        raise Mistyped(f"{_named(wrong)} mistyped. Compare it with the original, symbol by symbol.")
    return _joined(rows)


def to_word(data: bytes) -> str:
    """Return what a QR code holds: ``fc1:`` and base64 (RFC 4648 section 5), which any scanner hands on as text."""
    return QR_PREFIX + base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_word(text: str) -> bytes:
    """Read what `to_word` wrote.

    Raises:
        ListRefused: it is damaged.
    """
    word = text.strip()
    try:
        data = base64.b64decode(
            word[len(QR_PREFIX) :] + "=" * (-(len(word) - len(QR_PREFIX)) % 4), "-_", validate=True
        )
    except (ValueError, binascii.Error) as error:
        raise ListRefused("it is damaged: not all of the code is there") from error
    if not data or to_word(data) != word:
        raise ListRefused("it is damaged")
    return data


def _joined(rows: dict[int, bytes]) -> bytes:
    if 1 not in rows:
        raise Mistyped("Line 1 is missing.")
    size = LENGTH_BYTES + int.from_bytes(rows[1][:LENGTH_BYTES], "big") + DIGEST_BYTES
    wanted = range(1, -(-size // LINE_BYTES) + 1)
    missing = sorted(set(wanted) - set(rows))
    if missing:
        raise Mistyped(f"{_named(missing)} missing; the list has {len(wanted)} lines.")
    framed = b"".join(rows[number] for number in wanted)
    kept = framed[: size - DIGEST_BYTES]
    if (
        len(rows) > len(wanted)
        or len(framed) != size
        or hashlib.sha256(kept).digest()[:DIGEST_BYTES] != framed[-DIGEST_BYTES:]
    ):
        raise Mistyped("The lines do not belong together. Are they from one list?")
    return kept[LENGTH_BYTES:]


def _named(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"Line {numbers[0]} is"
    shown = [str(number) for number in numbers[:8]]
    if len(numbers) > len(shown):
        return f"Lines {', '.join(shown)} and {len(numbers) - len(shown)} others are"
    return f"Lines {', '.join(shown[:-1])} and {shown[-1]} are"


def _row(number: int, text: str) -> bytes | None:
    """Return the bytes of a line, or None when its check is wrong."""
    try:
        values = [_VALUES[symbol] for symbol in text.upper() if symbol not in " \t-"]
    except KeyError:
        return None
    *body, high, low = values if len(values) > 2 else [0, 0, 0]
    if len(body) > LINE_SYMBOLS:  # before the sum, which takes the square of the length
        return None
    size, bits = len(body) * 5 // 8, len(body) * 5
    spare = bits - 8 * size
    joined = 0
    for value in body:
        joined = joined << 5 | value
    if joined & (1 << spare) - 1 or spare > 4:
        return None
    row = (joined >> spare).to_bytes(size, "big")
    return row if _crc(number, row) == high << 5 | low else None


def _symbols(row: bytes) -> str:
    count = -(-len(row) * 8 // 5)
    joined = int.from_bytes(row, "big") << (count * 5 - len(row) * 8)
    return "".join(SYMBOLS[joined >> 5 * at & 31] for at in reversed(range(count)))


def _grouped(symbols: str) -> str:
    return "-".join(symbols[at : at + GROUP] for at in range(0, len(symbols), GROUP))


def _check(number: int, row: bytes) -> str:
    crc = _crc(number, row)
    return SYMBOLS[crc >> 5] + SYMBOLS[crc & 31]


def _crc(number: int, row: bytes) -> int:
    """Return CRC-10 over the line's number and bytes, as the hardware computes it: bit by bit, high bit first."""
    crc = 0
    for byte in number.to_bytes(2, "big") + row:
        crc ^= byte << 2
        for _ in range(8):
            crc = crc << 1 ^ (CRC_10 if crc & 0x200 else 0)
        crc &= 0x3FF
    return crc
