"""The keys of two phones' own SRTP, on their way from node to node: RFC 4568 values under an attribute of ours.

In a description `a=crypto` is about its own leg, which between nodes is DTLS-SRTP. What stands here is about the SRTP
inside of that, which the phones do from end to end: an offer has a key of the caller's phone for each suite that it
offers, an answer the one key of the phone that has chosen one of them, under the tag of the chosen one (section 5.1.2).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from .errors import MediaRefused
from .sdes import MAX_ATTRIBUTES, Crypto
from .sdp import MediaDescription, SessionDescription
from .transport_lines import PHONE_CRYPTO


def of_each_suite(keys: Iterable[Crypto]) -> tuple[Crypto, ...]:
    """Return the first key of each suite, and of each tag: no more are told or taken."""
    suites: dict[str, Crypto] = {}
    for key in keys:
        if all(key.tag != known.tag for known in suites.values()):
            suites.setdefault(key.suite, key)
    return tuple(suites.values())


def offered_keys(section: MediaDescription) -> tuple[Crypto, ...]:
    """Return the keys in a section of an offer. What is not exactly as we write it is as if it were not there."""
    values = [value for name, value in section.attributes() if name == PHONE_CRYPTO]
    return of_each_suite(filter(None, map(_parse, values[:MAX_ATTRIBUTES])))


def chosen_key(section: MediaDescription) -> Crypto | None:
    """Return the key in a section of an answer, None where there is none.

    Raise `MediaRefused` for anything but one good key: the other node takes its phone to be heard under it.
    """
    values = [value for name, value in section.attributes() if name == PHONE_CRYPTO]
    if not values:
        return None
    key = _parse(values[0])
    if key is None or len(values) > 1:
        raise MediaRefused("The other node names no usable key of its phone")
    return key


def _parse(value: str) -> Crypto | None:
    key = Crypto.parse(value)
    return key if key is not None and key.value() == value else None


def with_keys_of_phones(
    description: SessionDescription, keys: Sequence[Sequence[Crypto]]
) -> SessionDescription:
    """Return a description for the mesh that tells the other node these keys, of each section that is on."""
    media = (
        replace(section, lines=(*section.lines, *(f"a={PHONE_CRYPTO}:{key.value()}" for key in told)))
        if section.port
        else section
        for section, told in zip(description.media, keys, strict=True)
    )
    return description.with_media(tuple(media))
