"""A mail goes to the one to whom everything in it belongs, and an address gets only so many of them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from click.testing import CliRunner

import cli
import settings
from db.connection import Connection
from db.database import transaction
from gateways import report_storage
from gateways.report_storage import ReportFile, ReportKey
from tests.clinic import Clinic
from tests.integration.ledger_cases import order, outbox, send

pytestmark = pytest.mark.usefixtures("environment")


def test_what_belongs_to_somebody_else_is_refused(clinic: Clinic) -> None:
    family = clinic.add_family(email="Anna@Example.com ")
    stranger = clinic.add_user("eve@example.com")
    checkup = clinic.add_completed_checkup(family)
    file = ReportFile("report.pdf", "application/pdf", b"%PDF-")
    with transaction() as conn:
        key = ReportKey(UUID(checkup), "pdf", "digest")
        report = str(
            report_storage.save(conn, key, UUID(stranger), file, datetime.now(UTC))
        )  # the check-up's owner counts
    begins = datetime.now(UTC) + timedelta(days=3)
    cases = {
        "appointment": ("appointment_confirmation", {"appointment_id": clinic.book_for(family, begins)}, {}),
        "payment": (
            "payment_confirmation",
            {"payment_id": clinic.add_payment(family.user_id, status="completed")},
            {},
        ),
        "check-up": ("checkup_completed", {"assessment_id": checkup}, {}),
        "report": ("report_ready", {"name": "Ева"}, {"report_id": report}),
        "user": ("payment_confirmation", {"amount": 5000}, {"user_id": family.user_id}),
    }
    for what, (template, variables, more) in cases.items():
        mail = order(template, variables=variables, **more)
        send(mail | {"to": "eve@example.com", "key": f"{what}:eve"}, f"{what} for Eve")
        send(mail | {"to": "anna@example.com", "key": f"{what}:anna"}, f"{what} for Anna")
    assert dict(clinic.rows("SELECT key, concat_ws(': ', state, reason) FROM balansity.delivery")) == {
        **{f"{what}:eve": f"failed: the {what} that it names belongs to another address than this" for what in cases},
        **{f"{what}:anna": "sent" for what in cases},
    }
    assert {mail["To"] for mail in outbox()} == {"anna@example.com"}


def test_another_familys_child_is_not_named(clinic: Clinic) -> None:
    anna, eve = clinic.add_family(), clinic.add_family("Ева", "Петя", "eve@example.com")
    appointment = clinic.book_for(eve, datetime.now(UTC) + timedelta(days=3))
    clinic.rows("UPDATE public.appointments SET profile_id = %s", anna.child_id)
    send(order("appointment_confirmation", to="eve@example.com", variables={"appointment_id": appointment}))
    [mail] = outbox()
    assert "Миша" not in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_an_address_gets_only_so_many_mails_an_hour(
    clinic: Clinic, connection: Connection, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("EMAIL_HOURLY_LIMIT", "3")
    settings.current.cache_clear()
    addresses = ["anna@example.com", "ANNA@example.com"] * 5 + ["boris@example.com"]
    with ThreadPoolExecutor(5) as workers:
        list(
            workers.map(
                lambda each: send(order(to=each[1], key=f"mail {each[0]}"), f"m{each[0]}"), enumerate(addresses)
            )
        )
    states = "SELECT lower(recipient), state, count(*) FROM balansity.delivery GROUP BY 1, 2 ORDER BY 1, 2"
    assert clinic.rows(states) == [
        ("anna@example.com", "failed", 7),
        ("anna@example.com", "sent", 3),
        ("boris@example.com", "sent", 1),
    ]
    assert clinic.rows("SELECT DISTINCT reason FROM balansity.delivery WHERE state = 'failed'") == [
        ("the address has had 3 mails within an hour, which is EMAIL_HOURLY_LIMIT",)
    ]
    assert "EMAIL_HOURLY_LIMIT" in CliRunner().invoke(cli.main, ["deliveries", "--failed", "--json"]).output
    clinic.rows("UPDATE balansity.delivery_attempt SET started_at = started_at - interval '61 minutes'")
    send(order(key="an hour later"), "m99")
    assert clinic.value("SELECT state FROM balansity.delivery WHERE key = 'an hour later'") == "sent"
