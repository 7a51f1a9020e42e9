"""Contacts in compact form."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overlay.protocol.contact import Contact, pack_contacts, unpack_contacts
from overlay.protocol.errors import WireError

from .strategies import contacts


@given(st.lists(contacts, max_size=20))
def test_contacts_come_back_by_family_in_order(some: list[Contact]) -> None:
    v4, v6 = pack_contacts(some)
    assert (len(v4) % 26, len(v6) % 38) == (0, 0)
    expected = sorted(some, key=lambda c: c.endpoint.is_v6)
    assert unpack_contacts(v4, v6, most=20) == expected


@given(st.lists(contacts, min_size=3, max_size=5))
def test_more_contacts_than_allowed_are_refused(some: list[Contact]) -> None:
    with pytest.raises(WireError):
        unpack_contacts(*pack_contacts(some), most=2)


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_bytes_give_contacts_or_a_wire_error(v4: bytes, v6: bytes) -> None:
    with contextlib.suppress(WireError):
        assert pack_contacts(unpack_contacts(v4, v6, most=20)) == (v4, v6)


@given(contacts)
def test_a_contact_is_what_a_kademlia_table_takes(contact: Contact) -> None:
    assert contact.long_id == int.from_bytes(contact.id, "big")
    assert contact.address == (contact.endpoint.host, contact.endpoint.port)
