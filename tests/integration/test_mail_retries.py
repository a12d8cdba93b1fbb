"""Waiting is no try; a mail that is out of tries is failed, and goes out after all once a person says so."""

from datetime import timedelta
from typing import Any

import dramatiq
from click.testing import CliRunner

from actors.emails import MAX_RETRIES, send_email
from commands.mail import deliveries
from db import queries
from db.connection import Connection
from tests.integration import mail_cases as cases
from tests.servers.sendgrid import Reply, SendGrid
from tests.waiting import until

FREE = "UPDATE balansity.mail_pace SET free_at = now()"


def send(**more: Any) -> None:
    variables = {"name": "Анна"}
    send_email.send(to="anna@example.com", subject="Тема", template="report_ready", variables=variables, **more)


def change(conn: Connection, *statements: str) -> None:
    with conn.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def message(conn: Connection) -> dict[str, Any]:
    return cases.row(
        conn,
        "SELECT state::text, delayed, coalesce((message #>> '{options,retries}')::integer, 0) AS retries "
        "FROM dramatiq.queue",
    )


def ledger(conn: Connection) -> tuple[str, int]:
    row = cases.row(conn, "SELECT state, attempts FROM balansity.delivery")
    return row["state"], row["attempts"]


def wait_for(conn: Connection, state: str) -> None:
    until(lambda: message(conn)["state"] == state, f"the message is {state}")


def run_again(conn: Connection, times: int, *first: str) -> None:
    """So often, make the message due as soon as it waits, after running the statements of `first`."""
    for _ in range(times):
        until(lambda: message(conn)["delayed"], "the message waits")
        change(
            conn,
            *first,
            "UPDATE dramatiq.queue SET delayed = false, available_at = now()",
            "SELECT dramatiq.ring(ARRAY['emails'])",
        )


def test_a_mail_may_wait_for_its_place_more_often_than_it_may_be_tried(
    worker: dramatiq.Worker, provider: SendGrid, connection: Connection
) -> None:
    queries.pace.hold(connection, provider="sendgrid", pause=timedelta(hours=1))
    send()
    run_again(connection, MAX_RETRIES + 1)
    until(lambda: message(connection)["delayed"], "the message waits")
    assert (message(connection)["retries"], ledger(connection)) == (0, ("planned", 0))
    run_again(connection, 1, FREE)
    wait_for(connection, "done")
    assert (len(provider.accepted), ledger(connection)) == (1, ("sent", 1))


def test_a_provider_may_ask_for_more_pauses_than_a_mail_has_tries(
    worker: dramatiq.Worker, provider: SendGrid, connection: Connection
) -> None:
    provider.scripted += [Reply(429)] * (MAX_RETRIES + 1)
    send()
    run_again(connection, MAX_RETRIES + 1, FREE)
    wait_for(connection, "done")
    assert (len(provider.accepted), ledger(connection)) == (1, ("sent", MAX_RETRIES + 2))


def test_a_mail_that_is_out_of_tries_is_failed_and_goes_out_once_redriven(
    worker: dramatiq.Worker, provider: SendGrid, connection: Connection
) -> None:
    refusal = Reply(408, {"errors": [{"message": "down for repairs", "field": None}]})
    provider.scripted += [refusal] * (MAX_RETRIES + 1)
    send()
    until(lambda: message(connection)["delayed"], "the message waits")
    assert message(connection)["retries"] == 1
    run_again(connection, MAX_RETRIES)
    wait_for(connection, "rejected")
    assert ledger(connection) == ("failed", MAX_RETRIES + 1)
    listed = CliRunner().invoke(deliveries, ["--failed"], env={"COLUMNS": "200"}, catch_exceptions=False).output
    assert "given up: SendGrid answered 408: down for repairs" in listed

    change(connection, "SELECT dramatiq.redrive(array_agg(message_id)) FROM dramatiq.queue")
    wait_for(connection, "done")
    assert (len(provider.accepted), ledger(connection)) == (1, ("sent", MAX_RETRIES + 2))


def test_a_mail_that_is_out_of_tries_stays_unknown_if_one_of_them_may_have_gone_out(
    worker: dramatiq.Worker, provider: SendGrid, connection: Connection
) -> None:
    provider.scripted += [Reply(0)] + [Reply(408)] * MAX_RETRIES
    send()
    run_again(connection, MAX_RETRIES, "UPDATE balansity.delivery SET changed_at = now() - interval '1 day'")
    wait_for(connection, "rejected")
    assert ledger(connection) == ("unknown", MAX_RETRIES + 1)


def test_a_mail_that_could_never_even_be_written_is_failed_once_out_of_tries(
    worker: dramatiq.Worker, connection: Connection
) -> None:
    change(connection, "DROP FUNCTION balansity.begin_delivery")
    send()
    run_again(connection, MAX_RETRIES)
    wait_for(connection, "rejected")
    row = cases.row(connection, "SELECT state, reason FROM balansity.delivery")
    assert row == {"state": "failed", "reason": "given up: UndefinedFunction"}


def test_whatever_the_provider_says_can_be_kept(
    worker: dramatiq.Worker, provider: SendGrid, connection: Connection
) -> None:
    provider.scripted.append(Reply(400, {"errors": [{"message": "bad \0 or \ud800", "field": None}]}))
    send()
    wait_for(connection, "done")
    row = cases.row(connection, "SELECT outcome, answer FROM balansity.delivery_attempt")
    assert row == {"outcome": "failed", "answer": "SendGrid answered 400: bad  or ? (None)"}
    assert ledger(connection) == ("failed", 1)


def resend(conn: Connection) -> Any:
    delivery_id = str(cases.row(conn, "SELECT id FROM balansity.delivery")["id"])
    return CliRunner().invoke(deliveries, ["--resend", delivery_id[:8], "--reason", "a test"], catch_exceptions=False)


def test_a_failed_mail_is_sent_again_when_a_person_says_so(
    worker: dramatiq.Worker, provider: SendGrid, connection: Connection
) -> None:
    provider.scripted.append(Reply(400, {"errors": [{"message": "unverified sender", "field": "from"}]}))
    send(key="report:1")
    wait_for(connection, "done")
    assert ledger(connection) == ("failed", 1)
    assert resend(connection).exit_code == 0
    until(lambda: ledger(connection) == ("sent", 2), "the mail is sent")
    wait_for(connection, "done")
    assert len(provider.accepted) == 1


def test_an_unknown_mail_is_sent_again_at_once_when_a_person_says_so(
    worker: dramatiq.Worker, provider: SendGrid, connection: Connection
) -> None:
    provider.scripted.append(Reply(0))
    send()
    until(lambda: message(connection)["delayed"], "the message waits for news")
    assert ledger(connection) == ("unknown", 1)
    assert resend(connection).exit_code == 0
    until(lambda: ledger(connection) == ("sent", 2), "the mail is sent")
    assert len(provider.accepted) == 1


def test_a_mail_that_was_sent_is_not_sent_again(
    worker: dramatiq.Worker, provider: SendGrid, connection: Connection
) -> None:
    send()
    wait_for(connection, "done")
    result = resend(connection)
    assert (result.exit_code, "It is sent: only what is failed or unknown" in result.output) == (1, True)
    assert (message(connection)["state"], ledger(connection)) == ("done", ("sent", 1))


def test_a_mail_whose_message_is_gone_is_not_sent_again(
    worker: dramatiq.Worker, provider: SendGrid, connection: Connection
) -> None:
    provider.scripted.append(Reply(400))
    send()
    wait_for(connection, "done")
    change(connection, "DELETE FROM dramatiq.queue")
    result = resend(connection)
    assert (result.exit_code, "order the mail anew" in result.output) == (1, True)
    assert ledger(connection) == ("failed", 1)
