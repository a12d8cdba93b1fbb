"""SendGrid's events settle deliveries: signed, fresh, once, in any order; bounces and complaints suppress."""

import base64
import itertools
import json
import math
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask.testing import FlaskClient

import settings
from db import queries
from db.connection import Connection
from mail.delivery import deliver
from mail.order import read_order
from tests.integration import mail_cases as cases
from web.app import create_app
from web.sendgrid_events import SIGNATURE, TIMESTAMP

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC_KEY = base64.b64encode(
    KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).decode()


@pytest.fixture
def client(environment: pytest.MonkeyPatch) -> FlaskClient:
    environment.setenv("SENDGRID_WEBHOOK_PUBLIC_KEY", PUBLIC_KEY)
    settings.current.cache_clear()
    return create_app().test_client()


@pytest.fixture
def delivery(client: FlaskClient, connection: Connection) -> str:
    """A mail that left."""
    send("m1")
    return str(cases.row(connection, "SELECT id FROM balansity.delivery")["id"])


def send(message_id: str, template: str = "report_ready", **more: Any) -> None:
    variables = {"name": "Анна", **more}
    order = {"to": "Anna@example.com", "subject": "Тема", "template": template, "variables": variables}
    deliver(read_order(order), message_id)


def event(delivery: str, kind: str, number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "sg_event_id": f"event-{kind}-{number}",
        "event": kind,
        "email": "anna@example.com",
        "timestamp": int(time.time()),
        "delivery": delivery,
        **more,
    }


def post(client: FlaskClient, body: bytes, *, age: int = 0, signed: bytes | None = None) -> int:
    timestamp = str(int(time.time()) - age)
    signature = KEY.sign(timestamp.encode() + (body if signed is None else signed), ec.ECDSA(hashes.SHA256()))
    headers = {SIGNATURE: base64.b64encode(signature).decode(), TIMESTAMP: timestamp}
    return client.post("/webhooks/sendgrid", data=body, headers=headers).status_code


def report(client: FlaskClient, *batch: dict[str, Any]) -> int:
    return post(client, json.dumps(batch).encode())


def state(conn: Connection) -> str:
    return str(cases.row(conn, "SELECT state FROM balansity.delivery WHERE message_id = 'm1'")["state"])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("processed", "sent"),
        ("deferred", "sent"),
        ("delivered", "delivered"),
        ("bounce", "bounced"),
        ("dropped", "dropped"),
        ("spamreport", "complained"),
        ("open", "sent"),
    ],
)
def test_each_event_moves_the_delivery(
    client: FlaskClient, connection: Connection, delivery: str, kind: str, expected: str
) -> None:
    assert report(client, event(delivery, kind, reason="550 unknown")) == 204
    assert state(connection) == expected


def test_any_order_of_events_ends_in_the_same_state(client: FlaskClient, connection: Connection, delivery: str) -> None:
    story = ["processed", "deferred", "delivered", "spamreport"]
    for number, order in enumerate(itertools.permutations(story)):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE balansity.delivery SET state = 'sent'")
        for kind in order:
            report(client, event(delivery, kind, number))
        assert state(connection) == "complained", order


def test_an_event_that_comes_again_counts_once(client: FlaskClient, connection: Connection, delivery: str) -> None:
    for _ in range(3):
        assert report(client, event(delivery, "delivered"), event(delivery, "delivered")) == 204
    assert cases.row(connection, "SELECT count(*) FROM balansity.delivery_event") == {"count": 1}


def test_an_event_settles_what_the_provider_never_answered(
    client: FlaskClient, connection: Connection, delivery: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE balansity.delivery SET state = 'unknown'")
    report(client, event(delivery, "processed"))
    send("m1")
    assert cases.row(connection, "SELECT state, attempts FROM balansity.delivery") == {"state": "sent", "attempts": 1}


@pytest.mark.parametrize("wrong", ["planned", "sending", "failed", "superseded", "suppressed"])
def test_an_event_settles_whatever_the_ledger_believed_of_a_mail_that_was_tried(
    client: FlaskClient, connection: Connection, delivery: str, wrong: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE balansity.delivery SET state = %s", (wrong,))
    report(client, event(delivery, "delivered"))
    assert state(connection) == "delivered"


def test_an_event_about_a_mail_that_was_never_tried_moves_nothing(client: FlaskClient, connection: Connection) -> None:
    send("m1", "newsletter")
    report(client, event(str(cases.row(connection, "SELECT id FROM balansity.delivery")["id"]), "delivered"))
    assert state(connection) == "failed"


def test_an_event_that_overtakes_the_answer_is_not_undone(
    client: FlaskClient, connection: Connection, delivery: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE balansity.delivery SET state = 'sending'")
    report(client, event(delivery, "delivered"))
    queries.deliveries.finish_attempt(
        connection,
        delivery_id=delivery,
        number=1,
        outcome="sent",
        answer=None,
        provider_message_id="x",
    )
    assert state(connection) == "delivered"


@pytest.mark.parametrize("complains", [False, True])
def test_a_bounce_stops_all_but_essential_mail_and_a_complaint_all_but_receipts_until_it_is_lifted(
    client: FlaskClient, connection: Connection, delivery: str, complains: bool
) -> None:
    report(client, event(delivery, "bounce", type="bounce"))
    if complains:  # which counts for more, whichever came first
        report(client, event(delivery, "spamreport"))
    meets = {"scheduled_at": "2030-01-01T10:00:00Z"}
    send("report")
    send("reminder", "appointment_reminder_24h", **meets)
    send("booked", "appointment_confirmation", **meets)
    send("paid", "payment_confirmation", amount=5000)
    states = cases.row(connection, "SELECT jsonb_object_agg(message_id, state) AS of FROM balansity.delivery")["of"]
    assert {name: states[name] for name in ("report", "reminder", "booked", "paid")} == {
        "report": "suppressed",
        "reminder": "suppressed",
        "booked": "suppressed" if complains else "sent",
        "paid": "sent",
    }
    assert queries.deliveries.lift(connection, address="ANNA@example.com") == 1
    send("m4")
    assert cases.row(connection, "SELECT state FROM balansity.delivery WHERE message_id = 'm4'")["state"] == "sent"


@pytest.mark.parametrize(("kind", "more"), [("bounce", {"type": "blocked"}), ("dropped", {}), ("deferred", {})])
def test_a_passing_trouble_suppresses_nobody(
    client: FlaskClient, connection: Connection, delivery: str, kind: str, more: dict[str, Any]
) -> None:
    report(client, event(delivery, kind, **more))
    assert cases.row(connection, "SELECT count(*) FROM balansity.suppression") == {"count": 0}


@pytest.mark.parametrize("stranger", [None, "", "campaign-7", 7, "00000000-0000-0000-0000-000000000000"])
def test_events_of_other_senders_are_left_alone(
    client: FlaskClient, connection: Connection, delivery: str, stranger: Any
) -> None:
    assert report(client, event(delivery, "bounce") | {"delivery": stranger}) == 204
    assert state(connection) == "sent"


def test_a_forged_body_is_refused(client: FlaskClient, connection: Connection, delivery: str) -> None:
    body = json.dumps([event(delivery, "bounce")]).encode()
    assert post(client, body, signed=b"[]") == 403
    assert state(connection) == "sent"


@pytest.mark.parametrize(("age", "status"), [(590, 204), (610, 403), (-610, 403)])
def test_an_old_signature_is_refused(client: FlaskClient, delivery: str, age: int, status: int) -> None:
    assert post(client, json.dumps([event(delivery, "delivered")]).encode(), age=age) == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" * 100_000 + b"]" * 100_000, 400),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400),
        (b"[" + b"9" * 10_000 + b"]", 400),
        (b"\xff", 403),
        (b'["' + b"a" * 5_000_000 + b'"]', 413),
    ],
    ids=["deep list", "deep object", "long number", "no text", "huge"],
)
def test_a_signed_body_that_nobody_could_read_is_refused(client: FlaskClient, body: bytes, status: int) -> None:
    assert post(client, body) == status


@pytest.mark.parametrize("name", [SIGNATURE, TIMESTAMP])
def test_a_signature_in_other_letters_is_refused(client: FlaskClient, name: str) -> None:
    headers = {SIGNATURE: "MEUCIQ", TIMESTAMP: "1", name: "\u00b2\u00e9"}
    assert client.post("/webhooks/sendgrid", data=b"[]", headers=headers).status_code == 400


@pytest.mark.parametrize("headers", [{}, {SIGNATURE: "?", TIMESTAMP: "1"}, {SIGNATURE: "MEUCIQ", TIMESTAMP: "now"}])
def test_a_request_without_a_usable_signature_is_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.post("/webhooks/sendgrid", data=b"[]", headers=headers).status_code == 403


ODD: list[dict[str, Any]] = [
    {"sg_event_id": None},
    {"sg_event_id": ""},
    {"sg_event_id": "x" * 10_000},
    {"event": 7},
    {"timestamp": "soon"},
    {"timestamp": 1e30},
    {"timestamp": math.nan},
    {"delivery": "campaign-7", "sg_event_id": None},
    {"delivery": "\ud800"},
]


@pytest.mark.parametrize("odd", [*ODD, 1, None, "delivered", []], ids=range(len(ODD) + 4))
def test_an_event_that_cannot_be_read_does_not_hold_up_the_others(
    client: FlaskClient, connection: Connection, delivery: str, odd: Any, caplog: pytest.LogCaptureFixture
) -> None:
    other = event(delivery, "bounce", reason="no anna@example.com here") | odd if isinstance(odd, dict) else odd
    assert report(client, other, event(delivery, "delivered")) == 204
    assert state(connection) == "delivered"
    assert "anna@example.com" not in caplog.text


@pytest.mark.parametrize(
    ("odd", "detail"),
    [
        ({"reason": "mailbox\0 full"}, "mailbox full"),
        ({"reason": "mailbox \ud800full"}, "mailbox ?full"),
        ({"reason": {"code": 550}, "response": "mailbox full"}, "mailbox full"),
        ({"sg_event_id": "event\0\udfff", "reason": "mailbox full"}, "mailbox full"),
        ({"timestamp": time.time(), "reason": "mailbox full"}, "mailbox full"),
    ],
    ids=range(5),
)
def test_an_event_with_an_odd_spelling_still_counts(
    client: FlaskClient, connection: Connection, delivery: str, odd: dict[str, Any], detail: str
) -> None:
    assert report(client, event(delivery, "bounce") | odd) == 204
    assert cases.row(connection, "SELECT state, reason FROM balansity.delivery") == {
        "state": "bounced",
        "reason": detail,
    }


@pytest.mark.parametrize("body", [b"", b"{}", b"7", b"[", b'"delivered"'])
def test_a_signed_body_that_is_no_batch_is_refused(client: FlaskClient, body: bytes) -> None:
    assert post(client, body) == 400


def test_without_a_key_the_door_does_not_exist(environment: pytest.MonkeyPatch) -> None:
    assert create_app().test_client().post("/webhooks/sendgrid", data=b"[]").status_code == 404
