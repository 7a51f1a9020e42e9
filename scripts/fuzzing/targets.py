"""Which targets there are: each a file beside this one, with its parsers."""

from . import overlay, sip
from .parser import Parser

TARGETS = {"overlay": overlay.PARSERS, "sip": sip.PARSERS}


def parser(target: str, name: str) -> Parser:
    """Return one parser of a target."""
    return next(one for one in TARGETS[target] if one.name == name)
