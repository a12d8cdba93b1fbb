"""Every page reads well on a phone and on a desk, by day and by night, in both languages, by keyboard and by ear."""

import re
from uuid import uuid4

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

import actors
import scheduler
from db.connection import Connection
from tests.browser.conftest import Visit
from tests.pages import READER
from web.app import create_app

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
EXAMPLES = {
    "/mails/<name>.<kind>": None,
    "/unsubscribe/<token>": None,
    "/queues/<name>": "/queues/emails",
    "/messages/<uuid:id_>": f"/messages/{MESSAGE}",
    "/messages/all/<any(redrive, cancel, discard):action>": "/messages/all/redrive?queue=emails",
    "/actions/<uuid:id_>": f"/actions/{BULK}",
    "/running/<int:worker>": "/running/1",
    "/people/<kind>/<uuid:id_>": f"/people/user/{ANNA}",
    "/deliveries/<uuid:id_>": f"/deliveries/{MAIL}",
    "/payments/<uuid:id_>": f"/payments/{PAYMENT}",
    "/reports/<uuid:id_>": f"/reports/{REPORT}",
    "/jobs/<name>": f"/jobs/{JOB}?period=day",
}  # pages with arguments, each with an address; None: it is no page of the staff's
NO_PAGES = {"/health", "/health/system", "/healthz", "/readyz", "/metrics", "/htmx.min.js", "/static/<path:filename>"}


def addresses() -> list[str]:
    """All that can be asked for by GET; a new page is walked by itself."""
    rules = {rule.rule for rule in create_app().url_map.iter_rules() if "GET" in (rule.methods or ())} - NO_PAGES
    return sorted(filter(None, (EXAMPLES.get(rule, rule) for rule in rules)))


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
    found += [f"broken: {word}" for word in page.evaluate(BROKEN_WORDS)]
    found += [f"{name}: not one" for name in ("main", "h1") if page.locator(name).count() != 1]
    return found


# Each width by day and by night, and each language at each width.
LOOKS = [
    (360, False, "ru"),
    (360, True, "en"),
    (961, False, "ru"),
    (961, True, "en"),
    (1440, False, "en"),
    (1440, True, "ru"),
]


@pytest.mark.parametrize(("width", "dark", "language"), LOOKS)
def test_every_page_reads_well(visit: Visit, busy: None, width: int, dark: bool, language: str) -> None:
    page = visit(width, dark=dark, language=language)
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    for address in addresses():
        page.goto(address)
        assert page.locator("html").get_attribute("lang") == language
        assert complaints(page) == [], address
        if language == "ru":
            heads = {head for head in page.locator("th").all_text_contents() if re.search("[a-z]", head)}
            assert heads <= {"pgmq"}, address  # and no word that the database alone knows
    assert errors == []


def test_what_is_away_stands_out_and_by_more_than_its_colour(visit: Visit, busy: None) -> None:
    page = visit(language="en")
    row = page.locator("tr", has_text="smtp").first
    assert row.locator(".pill.bad").inner_text() == "✗ away"
    assert page.locator("tr", has_text="yookassa").first.locator(".pill.good").inner_text() == "✓ available"


def test_the_keyboard_alone_reaches_the_content_and_a_page(visit: Visit) -> None:
    page = visit(language="en")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.get_by_role("navigation").get_by_role("link", name="Log").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/log")
    assert page.locator("h1").inner_text() == "Who did what, and why"


def test_an_operator_pauses_mail_for_an_hour_and_lets_it_go_on(
    visit: Visit, busy: None, connection: Connection
) -> None:
    page = visit(360, language="en")
    go(page, "Queues")
    page.get_by_role("link", name="emails").click()
    page.get_by_label("Why").fill("the provider asks for an hour")
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("Paused: emails.").wait_for()
    assert complaints(page) == []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT queue_name, who, extract(epoch FROM until - since)::int / 60 FROM dramatiq.current_pause"
        )
        assert [tuple(row) for row in cursor.fetchall()] == [("emails", "vera", 60)]
    page.get_by_label("Why").fill("they are back")
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("Goes on: emails.").wait_for()
    go(page, "Log")
    assert "they are back" in page.locator("tbody tr").first.inner_text()


def test_a_reader_sees_a_queue_and_no_button(visit: Visit, busy: None) -> None:
    page = visit(language="en", login=READER)
    page.goto("/queues/emails")
    assert page.get_by_role("button", name="Pause").count() == 0


def test_an_operator_finds_out_why_somebody_got_no_mail(visit: Visit, busy: None) -> None:
    page = visit(360, language="en")
    go(page, "People")
    page.get_by_label("An address").fill("anna@example.com")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url(f"**/people/user/{ANNA}")
    failed = page.locator("tr", has_text="Mail: failed")
    assert "•••" in failed.inner_text()
    page.get_by_label("Why").fill("she asks for her report")
    page.get_by_role("button", name="Show the words").click()
    page.locator("tr", has_text="no box for Anna").wait_for()
    assert complaints(page) == []


def test_an_operator_sees_why_a_message_failed_puts_it_right_and_sends_it_back(
    visit: Visit, busy: None, connection: Connection
) -> None:
    page = visit(360, language="en")
    go(page, "Failures")
    page.locator("tbody a").first.click()
    page.get_by_role("link", name=MESSAGE[:8]).click()
    assert "<anna>" not in page.content()
    reveal = page.locator("form", has_text="Show what it says")
    reveal.get_by_label("Why").fill("the family waits for it")
    reveal.get_by_role("button").click()
    page.get_by_text("<anna> is no address").wait_for()
    assert complaints(page) == []
    edit = page.locator("form", has_text="Arguments, as JSON")
    edit.get_by_label("Arguments").fill('{"to": "anna@example.com", "subject": "s", "template": "report_ready"}')
    edit.get_by_label("Why").fill("she mistyped her address")
    edit.get_by_role("button").click()
    page.get_by_text("Sent back to work with these arguments").wait_for()
    assert complaints(page) == []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT state::text, message -> 'kwargs' ->> 'to' FROM dramatiq.queue WHERE queue_name = 'emails'"
            " ORDER BY 1"
        )
        assert [tuple(row) for row in cursor.fetchall()] == [
            ("cancelled", "a@example.com"),
            ("queued", "anna@example.com"),
        ]
        cursor.execute("SELECT action, target FROM balansity.operator_action ORDER BY id DESC LIMIT 2")
        assert [tuple(row) for row in cursor.fetchall()] == [("edit message", MESSAGE), ("reveal", MESSAGE)]


def test_an_operator_sends_a_mail_again_once_however_often_they_click(
    visit: Visit, busy: None, connection: Connection
) -> None:
    page = visit(360, language="en")
    go(page, "Deliveries")
    page.get_by_role("link", name=MAIL[:8]).click()
    page.get_by_label("Why").fill("the mother asked on the phone")
    page.get_by_role("button", name="Send again").dblclick()
    page.get_by_text("A new mail is on its way").wait_for()
    assert complaints(page) == []
    page.get_by_role("link", name=MAIL[:8]).click()
    page.get_by_role("heading", name="Sent again").wait_for()
    with connection.cursor() as cursor:
        cursor.execute("SELECT again_of::text, decided_by FROM balansity.delivery WHERE again_of IS NOT NULL")
        assert [tuple(row) for row in cursor.fetchall()] == [(MAIL, "vera")]
        cursor.execute("SELECT action, target FROM balansity.operator_action WHERE action = 'send again'")
        assert [tuple(row) for row in cursor.fetchall()] == [("send again", MAIL)]


def test_an_operator_decides_about_a_stuck_payment_by_the_number_in_the_familys_mail(
    visit: Visit, busy: None, connection: Connection
) -> None:
    page = visit(360, language="en")
    go(page, "Payments")
    page.get_by_label("The number in the family's mail").fill(f"№ {PAYMENT[:8]}")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url(f"**/payments/{PAYMENT}")
    page.get_by_text("unexpected change: cancelled → completed").first.wait_for()
    form = page.locator("form", has=page.get_by_role("button", name="Ask the provider"))
    form.get_by_label("Why").fill("the family has the receipt")
    form.get_by_role("button").dblclick()
    page.get_by_text("A worker does it now").wait_for()
    form = page.locator("form", has=page.get_by_role("button", name="Approve as it stands"))
    form.get_by_label("Why").fill("the bank confirms it")
    form.get_by_role("button").click()
    page.get_by_text("Approved as it stands.").wait_for()
    assert complaints(page) == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT action FROM balansity.operator_action WHERE target = %s ORDER BY id", (PAYMENT,))
        assert [tuple(row) for row in cursor.fetchall()] == [("verify payment",), ("resolve payment",)]
        cursor.execute("SELECT count(*) FROM dramatiq.queue WHERE queue_name = 'payments'")
        assert cursor.fetchone() == (1,)


def test_an_operator_opens_a_report_and_the_log_says_so(visit: Visit, busy: None) -> None:
    page = visit(360, language="en")
    page.get_by_role("link", name="Reports", exact=True).click()
    page.get_by_role("link", name=REPORT[:8]).click()
    form = page.locator("form", has=page.get_by_role("button", name="Open the file"))
    form.get_by_label("Why").fill("the mother asks what it says")
    with page.expect_download() as begun:
        form.get_by_role("button").click()
    assert begun.value.suggested_filename == "report.pdf"
    assert begun.value.path().read_bytes() == b"%PDF"
    page.get_by_role("link", name="Log").click()
    noted = page.locator("tbody tr").first.inner_text()
    assert "open report" in noted
    assert REPORT in noted


def test_a_person_sees_what_ran_last_night_and_what_failed(visit: Visit, busy: None, connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute(  # at three in the morning, by the clinic's clocks
            "UPDATE balansity.slot SET slot = date_trunc('day', now() AT TIME ZONE 'Europe/Moscow')"
            " AT TIME ZONE 'Europe/Moscow' + interval '3 hours 20 seconds' WHERE state = 'failed'"
        )
    page = visit(360, language="en", login=READER)
    page.get_by_role("link", name="Jobs", exact=True).click()
    page.get_by_role("link", name="Last night").click()
    failed = page.locator("table", has_text="Runs that failed").locator("tbody tr")
    assert failed.count() == 1
    said = failed.inner_text()
    assert "03:00:20" in said
    assert "OperationalError" in said
    assert "Anna" not in page.content()
    assert complaints(page) == []


def test_a_person_sees_what_will_run_tomorrow(visit: Visit, busy: None) -> None:
    page = visit(360, language="en", login=READER)
    page.get_by_role("link", name="Plan", exact=True).click()
    page.get_by_role("link", name="Seven days").click()
    assert "reminder an hour before" in page.locator("main").inner_text()
    page.locator("table", has_text="One by one").get_by_role("link").first.click()
    page.wait_for_url("**/people/user/*")


def test_an_operator_pauses_a_job_lets_it_go_on_and_runs_it_once_however_often_they_click(
    visit: Visit, busy: None, connection: Connection
) -> None:
    page = visit(360, language="en")
    page.get_by_role("link", name="Jobs", exact=True).click()
    page.get_by_role("link", name="remove-old-reports").click()
    for action, reason, said in (
        ("Pause", "the storage is being moved", "It is paused."),
        ("Resume", "it has moved", "It goes on."),
        ("Run now", "to see that it works", "It runs now."),
    ):
        form = page.locator("form", has=page.get_by_role("button", name=action))
        form.get_by_label("Why").fill(reason)
        form.get_by_role("button").dblclick()
        page.get_by_text(said).wait_for()
        assert complaints(page) == []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT action, reason FROM balansity.operator_action WHERE target = 'remove-old-reports' ORDER BY id"
        )
        assert [row[0] for row in cursor.fetchall()] == ["pause job", "resume job", "run job"]
        cursor.execute("SELECT count(*) FROM balansity.slot WHERE job = 'remove-old-reports' AND state = 'planned'")
        assert cursor.fetchone() == (1,)


def test_the_overview_says_what_is_late_and_leads_to_where_it_is_mended(
    visit: Visit, busy: None, connection: Connection
) -> None:
    page = visit(360, language="en")
    assert page.locator(".verdict").inner_text().startswith("✗ Needs attention:")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE dramatiq.queue SET state = 'queued', error = NULL, available_at = now() - interval '5 minutes'"
        )
    late = page.locator(".findings li", has_text="Queue emails is late")
    late.wait_for()  # the page asks for itself
    assert complaints(page) == []
    late.get_by_role("link").click()
    page.wait_for_url("**/queues/emails")
    assert page.get_by_role("button", name="Pause").count() == 1


def test_a_sound_system_is_told_in_a_word(visit: Visit, connection: Connection, database: str) -> None:
    actors.publish(database, scheduler.publish)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO dramatiq.worker (host, pid) VALUES ('clinic', 1)")
        cursor.execute(
            "INSERT INTO balansity.scheduler (id, host, pid, beats) VALUES (gen_random_uuid(), 'clinic', 2, 1)"
        )
    page = visit()
    assert page.locator(".verdict").inner_text() == "✓ Все вовремя."
    assert page.locator(".findings").count() == 0
    assert complaints(page) == []


def test_a_reader_takes_the_numbers_of_a_month_along_as_a_file(visit: Visit, busy: None) -> None:
    page = visit(360, language="en", login=READER)
    page.get_by_role("link", name="Numbers").click()
    page.get_by_role("link", name="This month").click()
    with page.expect_download() as begun:
        page.get_by_role("link", name="totals").click()
    assert begun.value.suggested_filename.endswith(".csv")
    lines = begun.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == '"section","group","measure","value"'
    assert any(line.startswith('"mails"') for line in lines)
