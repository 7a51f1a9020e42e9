"""Strangers' keys and signatures: each refusal for its own reason, whatever the bytes."""

import datetime
import functools
import os
import subprocess
import sys

import pysequoia
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pysequoia.packet import PacketPile

from tests.trust.gpg import GpgHome, needs_gpg
from trust.errors import BadKey, BadSignature
from trust.openpgp import inspect, smallest, utc_now, verify
from trust.protocol.packed_key import pack
from trust.protocol.packets import MAX_KEY_BYTES, MAX_KEY_PACKETS, MAX_SIGNATURE_BYTES

LATER = datetime.timedelta(days=400)


@functools.cache
def secret() -> pysequoia.Tsk:
    return pysequoia.Tsk.generate(user_id="bob <sip:bob@mesh>", profile=pysequoia.Profile.RFC4880)


@functools.cache
def public() -> bytes:
    return bytes(secret().extract_certificate())


def signed(data: bytes, key: pysequoia.Tsk | None = None) -> bytes:
    signer = (key or secret()).signer()
    return pysequoia.sign(signer, data, mode=pysequoia.SignatureMode.DETACHED, armor=False)


@functools.cache
def signature_over_x() -> bytes:
    return signed(b"x")


def test_a_signing_subkey_counts_as_its_primary_key() -> None:
    fingerprint = verify(b"x", signed(b"x"), public(), utc_now())
    assert fingerprint == secret().extract_certificate().fingerprint.upper()


def test_an_expired_key_is_refused_by_our_clock() -> None:
    year = 365 * 86400
    key = pysequoia.Tsk.generate(
        user_id="e <sip:e@mesh>", profile=pysequoia.Profile.RFC4880, validity_seconds=year
    )
    raw = bytes(key.extract_certificate())
    assert verify(b"x", signed(b"x", key), raw, utc_now())
    with pytest.raises(BadKey, match="expired"):
        verify(b"x", signed(b"x", key), raw, utc_now() + LATER)
    assert inspect(raw, utc_now() + LATER).expired


def test_a_revoked_key_is_refused() -> None:
    certificate = secret().extract_certificate()
    revocation = bytes(certificate.revoke(secret().certifier()))
    packets = list(PacketPile.from_bytes(public()))
    revoked = bytes(packets[0]) + revocation + b"".join(bytes(packet) for packet in packets[1:])
    with pytest.raises(BadKey, match="revoked"):
        verify(b"x", signed(b"x"), revoked, utc_now())
    assert inspect(revoked, utc_now()).revoked


def test_two_keys_in_one_blob_are_refused() -> None:
    other = bytes(
        pysequoia.Tsk.generate(user_id="m", profile=pysequoia.Profile.RFC4880).extract_certificate()
    )
    for blob in (public() + other, other + public(), public() + public()):
        with pytest.raises(BadKey, match="several keys"):
            verify(b"x", signed(b"x"), blob, utc_now())


def test_a_secret_key_is_refused() -> None:
    with pytest.raises(BadKey, match="not a public key"):
        inspect(bytes(secret()), utc_now())


def test_armour_is_refused() -> None:
    with pytest.raises(BadKey, match="malformed"):
        inspect(str(secret().extract_certificate()).encode(), utc_now())


def test_a_version_6_key_is_refused_with_a_reason() -> None:
    key = pysequoia.Tsk.generate(user_id="six", profile=pysequoia.Profile.RFC9580)
    with pytest.raises(BadKey, match="version 4"):
        inspect(bytes(key.extract_certificate()), utc_now())


def test_compressed_packets_are_never_unpacked() -> None:
    with pytest.raises(BadKey, match="more than a public key"):
        inspect(public() + b"\xc8\x05\x01\x00\x00\x00\x00", utc_now())


def test_size_is_bounded_before_anything_is_parsed() -> None:
    with pytest.raises(BadKey, match="larger"):
        inspect(b"\x99" + bytes(MAX_KEY_BYTES), utc_now())
    with pytest.raises(BadKey, match="not a public key"):
        inspect(public() + b"\xcd\x01a" * MAX_KEY_PACKETS, utc_now())
    with pytest.raises(BadSignature, match="larger"):
        verify(b"x", b"\x88" + bytes(MAX_SIGNATURE_BYTES), public(), utc_now())


def test_one_signature_is_one_signature() -> None:
    good = signed(b"x")
    for bad in (b"", good + good, good + b"junk", good[:-1], public(), b"\x00" + good):
        with pytest.raises(BadSignature):
            verify(b"x", bad, public(), utc_now())


def test_a_certification_is_not_a_signature_over_data() -> None:
    binding = bytes(list(PacketPile.from_bytes(public()))[3])
    with pytest.raises(BadSignature, match="another kind"):
        verify(b"x", binding, public(), utc_now())


def test_no_stack_trace_reaches_the_user() -> None:
    with pytest.raises(BadSignature) as caught:
        verify(b"y", signed(b"x"), public(), utc_now())
    assert "\n" not in str(caught.value)


@given(st.integers(0, 2000), st.integers(0, 255))
def test_a_mutated_key_is_refused_or_still_the_same_key(position: int, value: int) -> None:
    raw = bytearray(public())
    raw[position % len(raw)] = value
    try:
        fingerprint = verify(b"x", signed(b"x"), bytes(raw), utc_now())
    except (BadKey, BadSignature):
        return
    assert fingerprint == secret().extract_certificate().fingerprint.upper()


@given(st.data())
def test_a_mutated_signature_never_says_yes_to_other_data(data: st.DataObject) -> None:
    raw = bytearray(signature_over_x())
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with pytest.raises(BadSignature):
        verify(b"y", bytes(raw), public(), utc_now())


@given(st.binary(max_size=300))
def test_random_bytes_are_refused_as_a_key(raw: bytes) -> None:
    for blob in (raw, public()[:55] + raw):
        try:
            inspect(blob, utc_now())
        except BadKey:
            continue
        assert blob.startswith(public()[:55])


def test_the_small_form_keeps_what_a_call_needs() -> None:
    small = smallest(public())
    assert len(pack(small)) <= 950 < len(public())
    assert len(small) < len(public())
    assert verify(b"x", signed(b"x"), small, utc_now()) == inspect(public(), utc_now()).fingerprint
    assert smallest(small) == small


@needs_gpg
def test_gpg_keys_of_other_kinds_verify_too(gpg: GpgHome) -> None:
    for name, kind in (("rsa", "rsa2048"), ("nist", "nistp256")):
        key = gpg.make(name, kind=kind)
        assert verify(b"x", gpg.sign(name, b"x"), key, utc_now()) == inspect(key, utc_now()).fingerprint


@needs_gpg
def test_gpg_keys_that_are_expired_or_revoked_are_refused(gpg: GpgHome) -> None:
    now = int(utc_now().timestamp())
    expired = gpg.make("late", expires="seconds=86400", at=now - 2 * 86400)
    signature = gpg.sign("late", b"x", "--faked-system-time", f"{now - 2 * 86400 + 10}!")
    with pytest.raises(BadKey, match="expired"):
        verify(b"x", signature, expired, utc_now())
    key = gpg.make("gone")
    signature = gpg.sign("gone", b"x")
    revoked = gpg.revoke("gone", inspect(key, utc_now()).fingerprint)
    with pytest.raises(BadKey, match="revoked"):
        verify(b"x", signature, revoked, utc_now())


@needs_gpg
def test_a_clock_far_ahead_is_named_as_the_cause(gpg: GpgHome) -> None:
    key = gpg.make("fast")
    later = int(utc_now().timestamp()) + 4 * 3600
    signature = gpg.sign("fast", b"x", "--faked-system-time", f"{later}!")
    with pytest.raises(BadSignature, match="clocks is wrong"):
        verify(b"x", signature, key, utc_now())


@needs_gpg
def test_a_key_dated_far_ahead_is_refused_for_its_date(gpg: GpgHome) -> None:
    later = int(utc_now().timestamp()) + 4 * 3600
    key = gpg.make("future", at=later)
    signature = gpg.sign("future", b"x", "--faked-system-time", f"{later + 5}!")
    with pytest.raises(BadKey, match="clocks is wrong"):
        verify(b"x", signature, key, utc_now())


@needs_gpg
def test_a_text_signature_is_refused_since_it_covers_other_bytes_too(gpg: GpgHome) -> None:
    key = gpg.make("text")
    with pytest.raises(BadSignature, match="another kind"):
        verify(b"x\n", gpg.sign("text", b"x\n", "--textmode"), key, utc_now())


def test_on_a_clock_from_before_this_program_dates_are_not_judged_and_forgeries_are(gpg: GpgHome) -> None:
    key = gpg.make("alice")
    signature = gpg.sign("alice", b"x")
    in_1970 = datetime.datetime.fromtimestamp(86_400, datetime.UTC)
    assert verify(b"x", signature, key, in_1970) == verify(b"x", signature, key, utc_now())
    with pytest.raises(BadSignature):
        verify(b"y", signature, key, in_1970)
    with pytest.raises(BadSignature):
        verify(b"x", signature, gpg.make("mallory"), in_1970)


def test_a_refusal_costs_no_stack_trace_even_for_who_debugs_rust() -> None:
    """A trace takes 60 ms: somebody who sends forged signatures would keep the node busy with them."""
    program = (
        "import trust.openpgp, pysequoia\n"
        "try:\n    pysequoia.Cert.from_bytes(b'x')\n"
        "except RuntimeError as error:\n    print('acktrace' in str(error))"
    )
    environment = {**os.environ, "RUST_BACKTRACE": "1"}
    environment.pop("RUST_LIB_BACKTRACE", None)
    result = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"
