"""Presence within one node: what phones publish, and what they are told of their own user."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sipgate.limits import Limits
from sipgate.protocol.pidf import CONTENT_TYPE, parse
from tests.sipgate.gateways import TestNode, nodes

from .event_phone import MESSAGES, EventPhone, document, state_of

QUICK = Limits(notify_pause=0.0, subscriptions_per_user=3)
OPEN, CLOSED = b"<basic>open</basic>", b"<basic>closed</basic>"


@asynccontextmanager
async def one_phone() -> AsyncIterator[tuple[TestNode, EventPhone]]:
    async with nodes("alice", limits=QUICK) as (node,), EventPhone("alice", node.phones) as phone:
        yield node, phone
        for each in phone.subscriptions.values():
            if each.dialog is not None:
                await each.again(0)


async def test_a_user_is_open_while_a_phone_is_registered() -> None:
    async with one_phone() as (_, phone):
        watching = await phone.subscribe("sip:alice@mesh")
        assert watching.response is not None
        assert watching.response.headers.get("Expires") == "600"
        first = await watching.until("active", CLOSED)
        assert first.headers.get("Event") == "presence"
        assert first.headers.get("Content-Type") == CONTENT_TYPE
        assert 595 <= (state_of(first).expires or 0) <= 600
        await phone.register()
        await watching.until("active", OPEN)
        await phone.register(expires=0)
        await watching.until("active", CLOSED)


async def test_what_is_published_counts_until_it_is_taken_back() -> None:
    async with one_phone() as (_, phone):
        await phone.register()
        watching = await phone.subscribe("sip:alice@mesh")
        await watching.until("active", OPEN)
        first = await phone.publish(document(is_open=False, note="at lunch"))
        assert (first.status, first.headers.get("Expires")) == (200, "600")
        assert parse((await watching.until("active", CLOSED)).body).note == "at lunch"
        second = await phone.publish(document(is_open=True), first.headers.get("SIP-ETag"))
        await watching.until("active", OPEN)
        again = await phone.publish(match=second.headers.get("SIP-ETag"))
        assert again.status == 200
        assert again.headers.get("SIP-ETag") != second.headers.get("SIP-ETag")
        assert (await phone.publish(match=first.headers.get("SIP-ETag"))).status == 412
        assert (await phone.publish(match=again.headers.get("SIP-ETag"), expires=0)).status == 200


async def test_a_publication_runs_out_by_itself() -> None:
    async with one_phone() as (node, phone):
        watching = await phone.subscribe("sip:alice@mesh")
        await watching.until("active", CLOSED)
        await phone.publish(document(is_open=True), expires=1)
        await watching.until("active", OPEN)
        await watching.until("active", CLOSED)
        assert len(node.gateway.subscriptions._published) == 0


@pytest.mark.parametrize(
    ("body", "uri", "status"),
    [
        (b"", None, 400),
        (b"<!DOCTYPE x><presence/>", None, 400),
        (b"<x>" + b"y" * 20_000, None, 413),
        (document(is_open=True), "sip:bob@mesh", 403),
    ],
)
async def test_what_cannot_be_published_is_refused(body: bytes, uri: str | None, status: int) -> None:
    async with one_phone() as (_, phone):
        assert (await phone.publish(body, uri=uri)).status == status


async def test_presence_is_published_as_pidf_only() -> None:
    async with one_phone() as (_, phone):
        request = phone.request("PUBLISH", "sip:alice@mesh")
        request.headers.add("Event", "presence")
        request.set_body("text/plain", b"I am here")
        refused = await phone.send(request)
        assert (refused.status, refused.headers.get("Accept")) == (415, CONTENT_TYPE)


async def test_without_the_secret_nothing_is_told_or_taken() -> None:
    async with one_phone() as (_, phone):
        phone.secret = "wrong"
        assert (await phone.publish(document(is_open=True))).status == 403
        refused = await phone.subscribe("sip:alice@mesh")
        assert refused.response is not None
        assert refused.response.status == 403
        assert not refused.told


async def test_an_unknown_kind_of_event_is_refused_with_those_that_are_known() -> None:
    async with one_phone() as (_, phone):
        refused = (await phone.subscribe("sip:alice@mesh", "dialog")).response
        assert refused is not None
        assert refused.status == 489
        assert refused.headers.get("Allow-Events") == "presence, message-summary"


async def test_a_subscription_is_refreshed_and_ended() -> None:
    async with one_phone() as (node, phone):
        watching = await phone.subscribe("sip:alice@mesh", expires=60)
        await watching.until("active")
        refreshed = await watching.again(30)
        assert (refreshed.status, refreshed.headers.get("Expires")) == (200, "30")
        assert (state_of(await watching.until("active")).expires or 0) <= 30
        assert (await watching.again(0)).status == 200
        assert state_of(await watching.until("terminated")).reason == "timeout"
        assert (await watching.again(30)).status == 481
        await node.idle()
        assert len(node.gateway.subscriptions) == 0


async def test_a_subscription_that_is_not_refreshed_runs_out() -> None:
    async with one_phone() as (node, phone):
        watching = await phone.subscribe("sip:alice@mesh", expires=1)
        await watching.until("terminated")
        await node.idle()


async def test_asking_once_gets_one_answer() -> None:
    async with one_phone() as (node, phone):
        watching = await phone.subscribe("sip:alice@mesh", expires=0)
        notify = await watching.until("terminated", CLOSED)
        assert state_of(notify).reason == "timeout"
        await node.idle()


async def test_a_phone_that_has_forgotten_is_not_told_again() -> None:
    async with one_phone() as (node, phone):
        watching = await phone.subscribe("sip:alice@mesh")
        watching.status = 481
        await watching.until("active")
        await node.idle()
        assert len(node.gateway.subscriptions) == 0


async def test_a_user_can_subscribe_to_so_much_and_no_more() -> None:
    async with one_phone() as (_, phone):
        made = [await phone.subscribe("sip:alice@mesh", event) for event in ("presence", MESSAGES) * 2]
        assert [each.response.status for each in made if each.response] == [200, 200, 200, 503]
        for each in made[:3]:
            await each.until("active")


async def test_the_end_of_the_node_ends_the_subscription() -> None:
    async with EventPhone("alice", 1) as phone:
        async with nodes("alice", limits=QUICK) as (node,):
            phone.hop = type(phone.hop)("udp", "127.0.0.1", node.phones)
            watching = await phone.subscribe("sip:alice@mesh")
            await watching.until("active")
            await node.gateway.subscriptions.end_all(2)
        assert state_of(await watching.until("terminated")).reason == "deactivated"
