"""What a person sees and does on the pages, click by click."""

import actors
import scheduler
from db.connection import Connection
from tests.browser.busy_day import ANNA, MAIL, MESSAGE, PAYMENT, REPORT, busy, complaints, go
from tests.browser.conftest import Visit
from tests.pages import READER

__all__ = ["busy"]


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
    assert "opened a report" in noted
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
    page.locator("tr", has_text="reminder an hour before").get_by_role("link").first.click()
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
