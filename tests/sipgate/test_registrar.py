"""Registration over real sockets: who may, how long, how often, how many."""

from __future__ import annotations

import pytest

from sipgate.events import PhoneRegistered, PhoneUnregistered, RegistrationRefused
from sipgate.limits import Limits
from sipgate.protocol.digest import parse_fields
from sipgate.protocol.message import Response
from tests.kit.sip_phone import SipPhone

from .gateways import TestNode, nodes, user


def contacts(response: Response) -> list[str]:
    return [str(each.uri) for each in response.contacts if not isinstance(each, str)]


async def bindings(node: TestNode, name: str = "alice") -> int:
    return len(node.gateway._node.location.bindings(name, node.gateway._now()))


async def test_a_phone_registers_refreshes_and_leaves() -> None:
    async with nodes("alice") as (a,), SipPhone("alice", a.phones) as alice:
        registered = await alice.register(expires=100)
        assert registered.status == 200
        assert registered.headers.get_all("Contact") == [f"<sip:alice@127.0.0.1:{alice.port}>;expires=100"]
        assert contacts(await alice.register(expires=200)) == contacts(registered)
        left = await alice.register(expires=0)
        assert (left.status, contacts(left)) == (200, [])
    uri = f"sip:alice@127.0.0.1:{alice.port}"
    assert a.events == [
        PhoneRegistered("alice", uri, 100),
        PhoneRegistered("alice", uri, 200),
        PhoneUnregistered("alice", uri),
    ]


async def test_every_device_is_listed_and_contact_star_removes_them_all() -> None:
    async with (
        nodes("alice") as (a,),
        SipPhone("alice", a.phones) as desk,
        SipPhone("alice", a.phones) as mobile,
    ):
        await desk.register()
        listed = await mobile.register()
        assert len(contacts(listed)) == 2
        assert (await mobile.register(contact="*", expires=10)).status == 400
        cleared = await mobile.register(contact="*", expires=0)
        assert (cleared.status, contacts(cleared)) == (200, [])


async def test_asking_without_a_contact_changes_nothing() -> None:
    async with nodes("alice") as (a,), SipPhone("alice", a.phones) as alice:
        await alice.register()
        request = alice.request("REGISTER", "sip:mesh", "<sip:alice@mesh>")
        request.headers.remove("Contact")
        assert len(contacts(await alice.send(request))) == 1


async def test_the_same_instance_at_a_new_address_is_the_same_device() -> None:
    async with nodes("alice") as (a,), SipPhone("alice", a.phones) as alice:
        for port in (40001, 40002):
            here = f"sip:alice@127.0.0.1:{port}"
            response = await alice.register(contact=f'<{here}>;+sip.instance="<urn:uuid:1>";reg-id=1')
            assert contacts(response) == [here]


@pytest.mark.parametrize(("asked", "granted"), [(None, 600), (31, 31), (99999, 3600), (4_294_967_295, 3600)])
async def test_the_registrar_decides_how_long(asked: int | None, granted: int) -> None:
    async with nodes("alice") as (a,), SipPhone("alice", a.phones) as alice:
        response = await alice.register(expires=asked)
        assert f"expires={granted}" in (response.headers.get("Contact") or "")


async def test_too_short_is_423_with_the_least() -> None:
    async with nodes("alice") as (a,), SipPhone("alice", a.phones) as alice:
        brief = await alice.register(expires=5)
        assert (brief.status, brief.headers.get("Min-Expires")) == (423, "30")
        brief = await alice.register(contact=f"<sip:alice@127.0.0.1:{alice.port}>;expires=29")
        assert brief.status == 423
        assert await bindings(a) == 0


async def test_a_binding_runs_out() -> None:
    async with nodes("alice", limits=Limits(min_expires=1)) as (a,), SipPhone("alice", a.phones) as alice:
        await alice.register(expires=1)
        await a.event(PhoneUnregistered)
        assert await bindings(a) == 0


async def test_a_wrong_secret_and_an_unknown_user_hear_the_same() -> None:
    async with nodes("alice") as (a,):
        for name in ("alice", "mallory"):
            async with SipPhone(name, a.phones, secret="guess") as phone:
                refused = await phone.register()
                assert (refused.status, refused.reason) == (
                    403,
                    "The user name or the secret of this phone is wrong",
                )
    assert [event.user for event in a.events if isinstance(event, RegistrationRefused)] == [
        "alice",
        "mallory",
    ]


async def test_nobody_registers_for_somebody_else() -> None:
    both = {"alice": [user("alice"), user("carol")]}
    async with nodes("alice", users=both) as (a,), SipPhone("alice", a.phones) as alice:
        refused = await alice.send(alice.request("REGISTER", "sip:mesh", "<sip:carol@mesh>"))
        assert refused.status == 403


async def test_credentials_work_once() -> None:
    async with nodes("alice") as (a,), SipPhone("alice", a.phones) as alice:
        request = alice.request("REGISTER", "sip:mesh", "<sip:alice@mesh>")
        challenged = await alice.endpoint.request(request, alice.hop).final()
        first = alice.again(request, challenged)
        assert (await alice.endpoint.request(first, alice.hop).final()).status == 200
        replayed = await alice.endpoint.request(alice.again(request, challenged), alice.hop).final()
        assert replayed.status == 401
        fields = parse_fields(replayed.headers.get("WWW-Authenticate") or "")
        assert fields["stale"] == "true"
        assert fields["nonce"] != parse_fields(challenged.headers.get("WWW-Authenticate") or "")["nonce"]


async def test_a_nonce_that_is_not_ours_is_stale() -> None:
    async with nodes("alice", "bob") as (a, b), SipPhone("alice", a.phones) as alice:
        request = alice.request("REGISTER", "sip:mesh", "<sip:alice@mesh>")
        async with SipPhone("alice", b.phones) as elsewhere:
            foreign = await elsewhere.endpoint.request(request, elsewhere.hop).final()
        response = await alice.endpoint.request(alice.again(request, foreign), alice.hop).final()
        assert response.status == 401
        assert "stale=true" in (response.headers.get("WWW-Authenticate") or "")


async def test_md5_alone_is_asked_for_unless_the_account_wants_more() -> None:
    modern = {"alice": [user("alice", algorithms=("SHA-256", "MD5")), user("carol", algorithms=("SHA-256",))]}
    async with nodes("alice", "bob", users={**modern, "bob": [user("bob")]}) as (a, b):
        for name, node, asked in (
            ("bob", b, ["MD5"]),
            ("alice", a, ["SHA-256", "MD5"]),
            ("carol", a, ["SHA-256"]),
        ):
            async with SipPhone(name, node.phones) as phone:
                request = phone.request("REGISTER", "sip:mesh", f"<sip:{name}@mesh>")
                challenged = await phone.endpoint.request(request, phone.hop).final()
                offers = [parse_fields(value) for value in challenged.headers.get_all("WWW-Authenticate")]
                assert [offer["algorithm"] for offer in offers] == asked
                assert (await phone.register()).status == 200


async def test_an_account_for_sha_256_takes_no_md5() -> None:
    strict = {"alice": [user("alice", algorithms=("SHA-256",))]}
    async with nodes("alice", "bob", users=strict) as (a, _), SipPhone("alice", a.phones) as alice:
        request = alice.request("REGISTER", "sip:mesh", "<sip:alice@mesh>")
        challenged = await alice.endpoint.request(request, alice.hop).final()
        value = (challenged.headers.get("WWW-Authenticate") or "").replace("SHA-256", "MD5")
        challenged.headers.set("WWW-Authenticate", value)
        assert (
            await alice.endpoint.request(alice.again(request, challenged), alice.hop).final()
        ).status == 403


async def test_only_so_many_phones() -> None:
    async with (
        nodes("alice", limits=Limits(bindings_per_user=2)) as (a,),
        SipPhone("alice", a.phones) as alice,
    ):
        for port in (40001, 40002):
            assert (await alice.register(contact=f"<sip:alice@127.0.0.1:{port}>")).status == 200
        assert (await alice.register(contact="<sip:alice@127.0.0.1:40003>")).status == 403
        assert await bindings(a) == 2


@pytest.mark.parametrize(
    "contact", ["<tel:+491>", "<sips:alice@127.0.0.1>", "<sip:" + "a" * 600 + "@127.0.0.1>"]
)
async def test_a_contact_that_cannot_be_called_is_refused(contact: str) -> None:
    async with nodes("alice") as (a,), SipPhone("alice", a.phones) as alice:
        assert (await alice.register(contact=contact)).status == 400


async def test_the_node_itself_is_no_phone() -> None:
    async with nodes("alice") as (a,), SipPhone("alice", a.phones) as alice:
        for contact in (f"<sip:alice@127.0.0.1:{a.phones}>", f"<sip:alice@localhost:{a.phones}>"):
            assert (await alice.register(contact=contact)).status == 403


async def test_register_with_a_required_extension_is_420() -> None:
    async with nodes("alice") as (a,), SipPhone("alice", a.phones) as alice:
        request = alice.request("REGISTER", "sip:mesh", "<sip:alice@mesh>")
        request.headers.add("Require", "outbound")
        assert (await alice.send(request)).status == 420


async def test_an_old_register_is_refused() -> None:
    async with nodes("alice") as (a,), SipPhone("alice", a.phones) as alice:
        await alice.register()
        alice._cseq = 0
        assert (await alice.register(expires=0)).status == 500
        assert await bindings(a) == 1
