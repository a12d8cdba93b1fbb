"""Something to show on every page, and what is wrong with how one shows it."""

from uuid import uuid4

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

import actors
import scheduler
from db.connection import Connection

ANNA = "a0000000-0000-4000-8000-00000000000a"
CONSULTATION = "c0000000-0000-4000-8000-00000000000c"
MESSAGE = "d0000000-0000-4000-8000-00000000000d"
PAYMENT = "e1000000-0000-4000-8000-0000000000e1"
JOB = "verify-open-payments"
REPORT = "f0000000-0000-4000-8000-00000000000f"
CHECKUP = "d1000000-0000-4000-8000-0000000000d1"
MAIL = "b0000000-0000-4000-8000-00000000000b"
ERROR = (
    'Traceback (most recent call last):\n  File "mail/checks.py", line 7\nmail.checks.Unsendable: <anna> is no address'
)
BULK = "e0000000-0000-4000-8000-00000000000e"
STACKS = '[{"thread": "MainThread", "message": null, "frames": ["File \\"actors/reports.py\\", line 7, in make"]}]'
# Words of a table, shorter than an id, that stand on two lines.
BROKEN_WORDS = """() => [...document.querySelectorAll("th, td")].flatMap((cell) => {
  const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), broken = [], range = document.createRange();
  while (texts.nextNode()) {
    for (const word of texts.currentNode.data.matchAll(/[^\\s-]{2,30}/g)) {
      range.setStart(texts.currentNode, word.index);
      range.setEnd(texts.currentNode, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map((part) => part.top)).size > 1) broken.push(word[0]);
    }
  }
  return broken;
})"""

WIDE_TABLES = """() => [...document.querySelectorAll("main table")]
  .filter((table) => table.getBoundingClientRect().right > table.closest("main").getBoundingClientRect().right + 1)
  .map((table) => table.caption.textContent)"""


@pytest.fixture
def busy(connection: Connection, database: str) -> None:
    """Something to show on every page."""
    actors.publish(database, scheduler.publish)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO public.users (id, email) VALUES (%s, 'anna@example.com')", (ANNA,))
        cursor.execute(
            "INSERT INTO balansity.delivery"
            " (id, key, template, state, reason, recipient, user_id, message_id, planned_at, changed_at) VALUES"
            " (%s, %s, 'appointment_cancelled', 'failed', 'no box for Anna', 'anna@example.com', %s, 'm',"
            " now(), now())",
            (MAIL, f"appointment:{CONSULTATION}:cancelled", ANNA),
        )
        cursor.execute(
            "INSERT INTO public.payments (id, user_id, amount, status, external_payment_id, payment_method) VALUES"
            " (%s, %s, 5000, 'cancelled', '2d8f6f0e-000f-5000-8000-1d2f3a4b5c6d', 'yookassa'),"
            " (gen_random_uuid(), %s, 3000, 'pending', '2d8f6f0e-000f-5000-8000-open', 'yookassa')",
            (PAYMENT, ANNA, ANNA),
        )
        cursor.execute("UPDATE public.payments SET status = 'completed' WHERE id = %s", (PAYMENT,))
        cursor.execute(
            "INSERT INTO balansity.report"
            " (id, assessment_id, user_id, format, digest, filename, media_type, size_bytes, content, created_at)"
            " VALUES (%s, %s, %s, 'pdf', 'd1', 'report.pdf', 'application/pdf', 34567, '%%PDF', now())",
            (REPORT, CHECKUP, ANNA),
        )
        cursor.execute(
            "INSERT INTO balansity.delivery (key, template, subject, state, recipient, user_id, message_id, planned_at,"
            " changed_at) VALUES (%s, 'report_ready', 's', 'delivered', 'anna@example.com', %s, 'm2', now(), now())",
            (f"report_ready:{CHECKUP}:pdf:d1", ANNA),
        )
        cursor.execute(
            "INSERT INTO balansity.slot (job, slot, state, enqueued_at, started_at, finished_at, attempts, outcome)"
            " SELECT %s, date_trunc('minute', now()) - n * interval '1 minute', 'succeeded', now(), now(), now(), 1,"
            " '3 asked about, 0 given up, 1 appointments confirmed' FROM generate_series(2, 1440) AS n"
            " UNION ALL SELECT %s, date_trunc('minute', now()) - interval '1 minute', 'failed', now(),"
            " now() - interval '41 seconds', now(), 3, 'OperationalError: no place for Anna'",
            (JOB, JOB),
        )
        cursor.execute(
            "INSERT INTO public.appointments (user_id, appointment_type_id, scheduled_at, status)"
            " SELECT %s, id, now() + interval '26 hours', 'scheduled' FROM public.appointment_types LIMIT 1",
            (ANNA,),
        )
        cursor.execute("SELECT balansity.provider_failed('smtp', 'The SMTP server answered 535', 'vm:4711', NULL)")
        for _ in range(3):
            cursor.execute("SELECT balansity.ask_for_provider('smtp', %s, NULL)", (str(uuid4()),))
        cursor.execute("SELECT balansity.provider_failed('yookassa', 'down', 'vm:4712', NULL)")
        cursor.execute("SELECT balansity.provider_worked('yookassa', 'vm:4713')")
        cursor.execute(
            """SELECT dramatiq.send('send_email', '{"to": "a@example.com", "subject": "s", "template": "t"}')"""
        )
        cursor.execute("UPDATE dramatiq.queue SET message_id = %s, state = 'rejected', error = %s", (MESSAGE, ERROR))
        cursor.execute(
            "INSERT INTO dramatiq.minute"
            " (queue_name, minute, actor, ending, failure, bucket, messages, attempts, seconds)"
            " SELECT name, date_trunc('minute', now()), 'send_email', 'done', '', 1, 12345, 12345, 1"
            " FROM unnest(ARRAY['analytics', 'appointments', 'emails', 'payments', 'reports']) AS name"
        )
        cursor.execute("INSERT INTO dramatiq.worker (id, host, pid) OVERRIDING SYSTEM VALUE VALUES (1, 'web.1', 4711)")
        cursor.execute("""SELECT dramatiq.send('generate_report', '{"assessment_id": "7"}')""")
        cursor.execute("UPDATE dramatiq.queue SET state = 'consumed', claimed_by = 1 WHERE state = 'queued'")
        cursor.execute("INSERT INTO dramatiq.look (worker, stacks) VALUES (1, %s)", (STACKS,))
        cursor.execute(
            "INSERT INTO balansity.bulk_action (id, action, wanted, total, done, skipped, who, reason, ended_at)"
            " VALUES (%s, 'cancel', '{}', 5000, 5000, 1, 'vera', 'sent by mistake', now())",
            (BULK,),
        )
        cursor.execute(
            "INSERT INTO balansity.operator_action (who, via, action, target, count, reason)"
            " VALUES ('vera', 'page', 'redrive', 'emails', 12, 'a long enough reason that a person may have typed')"
        )


def go(page: Page, name: str) -> None:
    """By the navigation, from wherever the page is."""
    page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()


def complaints(page: Page) -> list[str]:
    """What axe finds serious, and what a look would: a page that must be scrolled sideways, or has no heading."""
    found = [
        f"{each['id']}: {each['nodes'][0]['html'][:150]} {each['nodes'][0]['failureSummary'][:200]}"
        for each in Axe().run(page).response["violations"]
        if each["impact"] in {"serious", "critical"}
    ]
    wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    found += ["it must be scrolled sideways"] * wide
    found += [f"wider than the page's content: {table}" for table in page.evaluate(WIDE_TABLES)]
    found += [f"broken: {word}" for word in page.evaluate(BROKEN_WORDS)]
    found += [f"{name}: not one" for name in ("main", "h1") if page.locator(name).count() != 1]
    return found
