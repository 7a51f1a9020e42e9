from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipgate.protocol import digest
from sipgate.protocol.digest import MAX_NONCES, NONCE_SECONDS, Credentials, Nonces, NonceState
from sipgate.protocol.errors import SipError
from sipgate.protocol.scanner import quote

# RFC 7616 section 3.9.1, with both algorithms
RFC7616 = (
    'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
    'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="{}", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
MD5 = RFC7616.format("MD5", "8ca523f5e9506fed4657c9700eebdbec")
SHA256 = RFC7616.format("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1")


@pytest.mark.parametrize("value", [MD5, SHA256])
def test_the_examples_of_rfc_7616_verify(value: str) -> None:
    credentials = Credentials.parse(value)
    assert digest.verify(credentials, "GET", "Circle of Life")
    assert not digest.verify(credentials, "GET", "circle of life")
    assert not digest.verify(credentials, "PUT", "Circle of Life")


@pytest.mark.parametrize(
    "value",
    [
        "Basic abc",
        "Digest",
        MD5.replace("nc=00000001", "nc=1"),
        MD5.replace("nc=00000001", "nc=zzzzzzzz"),
        MD5.replace("nc=00000001", "nc=+0000001"),
        MD5.replace("qop=auth", "qop=auth-int"),
        MD5.replace('username="Mufasa"', 'username="Muf'),
        MD5 + ', username="Eve"',
        MD5.replace("nc=00000001", "nc= 000000a"),
        MD5.replace("nc=00000001", "nc=0000000٣"),
        MD5.replace("nc=00000001", "nc=0000_001"),
        MD5.replace(", nc=00000001", ""),
        MD5.replace(', cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"', ""),
        MD5.replace(", qop=auth", ""),
        MD5.replace("uri=", "uri "),
        MD5.replace("uri=", "u\xa0ri="),
        MD5[:-1],
        MD5 + ",",
        "\udcff",
        "Digest \udcff",
        "Digest username=<",
        "Digest " + "a=b," * 10_000,
        "Digest " + "a" * 65_536,
        'Digest a="' + '\\"' * 30_000,
    ],
)
def test_other_credentials_are_malformed(value: str) -> None:
    with pytest.raises(SipError):
        Credentials.parse(value)


def test_what_is_no_text_is_compared_as_bytes() -> None:
    """Each value may hold bytes that are no UTF-8; they are hashed as they came."""
    odd = MD5.replace("Mufasa", "Muf\udcffasa").replace("8ca523f5", "\udcffca523f5")
    credentials = Credentials.parse(odd.replace('nonce="', 'nonce="\udcff'))
    assert not digest.verify(credentials, "GET", "Circle of Life")
    assert Nonces(b"secret").check(credentials.nonce, 1, 0.0) is NonceState.STALE
    right = replace(credentials, response=digest.response_value(credentials, "GET", "Circle of Life"))
    assert digest.verify(right, "GET", "Circle of Life")


def test_spelling_that_may_differ() -> None:
    value = MD5.replace("Digest ", "dIgEsT   ").replace(", ", " ,\t").replace("qop=auth", 'QOP = "AUTH"')
    shouting = value.replace("8ca523f5e9506fed4657c9700eebdbec", "8CA523F5E9506FED4657C9700EEBDBEC")
    for spelt in (
        value,
        shouting,
        value.replace("algorithm=MD5", "algorithm=md5"),
        value.replace("algorithm=MD5 ,", ""),
    ):
        assert digest.verify(Credentials.parse(spelt), "GET", "Circle of Life")


@given(st.text(max_size=40), st.text(max_size=40))
def test_what_is_quoted_in_credentials_is_read_back(username: str, realm: str) -> None:
    value = MD5.replace('"Mufasa"', quote(username)).replace('"http-auth@example.org"', quote(realm))
    credentials = Credentials.parse(value)
    assert (credentials.username, credentials.realm) == (username, realm)


def test_an_unknown_algorithm_is_refused() -> None:
    with pytest.raises(SipError):
        digest.verify(Credentials.parse(MD5.replace("algorithm=MD5", "algorithm=SHA-512")), "GET", "x")


@given(st.text(max_size=300))
def test_garbage_raises_only_the_one_exception(text: str) -> None:
    try:
        Credentials.parse("Digest " + text)
    except SipError:
        return


def test_a_nonce_counts_up_and_never_back() -> None:
    nonces = Nonces(b"secret")
    nonce = nonces.issue(100.0)
    assert nonces.check(nonce, 1, 101.0) is NonceState.OK
    assert nonces.check(nonce, 1, 101.0) is NonceState.REPLAYED
    assert nonces.check(nonce, 3, 101.0) is NonceState.OK
    assert nonces.check(nonce, 2, 101.0) is NonceState.REPLAYED


def test_old_forged_and_foreign_nonces_are_stale() -> None:
    nonces = Nonces(b"secret")
    nonce = nonces.issue(100.0)
    assert nonces.check(nonce, 1, 101.0 + NONCE_SECONDS) is NonceState.STALE
    assert nonces.check(nonce, 1, 90.0) is NonceState.STALE
    assert nonces.check(nonce[:-1] + "A", 1, 101.0) is NonceState.STALE or nonce.endswith("A")
    assert nonces.check(Nonces(b"other").issue(100.0), 1, 101.0) is NonceState.STALE
    for junk in ("", "x", "\udcff", "0" * 18, "é" * 40, "0" * 18 + "\udcff"):
        assert nonces.check(junk, 1, 101.0) is NonceState.STALE


def test_two_nonces_of_one_moment_differ_and_memory_is_bounded() -> None:
    nonces = Nonces(b"secret")
    assert nonces.issue(1.0) != nonces.issue(1.0)
    for _ in range(MAX_NONCES + 50):
        nonces.check(nonces.issue(1.0), 1, 1.0)
    assert len(nonces._used) == MAX_NONCES


def test_a_nonce_that_was_forgotten_cannot_be_replayed() -> None:
    nonces = Nonces(b"secret")
    first = nonces.issue(1.0)
    unused = nonces.issue(1.0)
    assert nonces.check(first, 1, 1.0) is NonceState.OK
    for number in range(MAX_NONCES):
        assert nonces.check(nonces.issue(2.0 + number / 1000), 1, 20.0) is NonceState.OK
    assert nonces.check(first, 1, 20.0) is NonceState.STALE
    assert nonces.check(unused, 1, 20.0) is NonceState.STALE
    assert nonces.check(nonces.issue(20.0), 1, 20.0) is NonceState.OK


def test_a_challenge_can_be_read_back() -> None:
    fields = digest.parse_fields(digest.challenge('me"sh', "n1", "SHA-256", stale=True))
    assert fields == {"realm": 'me"sh', "nonce": "n1", "algorithm": "SHA-256", "qop": "auth", "stale": "true"}
