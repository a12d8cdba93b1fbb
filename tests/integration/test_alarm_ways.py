"""Each way of telling: what is posted and mailed, what becomes of a way that fails, and the heartbeat."""

import json
from email import message_from_bytes
from pathlib import Path

import pytest
from click.testing import CliRunner

import cli
import settings
from alarms.lookout import Lookout
from db.connection import Connection
from tests.integration.alarm_cases import hook, late, look, mailbox, mails, mended
from tests.integration.broker_cases import run
from tests.integration.test_checks import alive
from tests.servers import smtp
from tests.servers.hook import Hook
from tests.servers.smtp import Mailbox

__all__ = ["alive", "hook", "mailbox"]


def test_a_way_that_fails_holds_up_no_other_and_is_tried_again(
    alive: Connection, hook: Hook, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    hook.status = 500
    late(alive)
    look(alive)
    look(alive, 3)
    assert (hook.posted, len(mails(mailbox))) == ([], 1)
    assert "secret-path" not in caplog.text
    pause = "SELECT failures, round(extract(epoch FROM next_at - clock_timestamp()) / 60)::int FROM balansity.alarm_way"
    assert run(alive, pause) == [(1, 1)]
    look(alive)
    look(alive, 1.1)
    assert run(alive, pause) == [(2, 2)]
    hook.status = 200
    look(alive, 2.1)
    assert len(hook.posted) == 1
    look(alive)
    look(alive, 3)
    assert run(alive, "SELECT * FROM balansity.alarm_way") == []
    assert [text.count("Alarms cannot be told by webhook") for text in mails(mailbox)] == [0, 1, 1]
    assert ["Queue emails is late" in text for text in mails(mailbox)] == [True, False, False]
    assert ["Queue emails is late" in text for text in hook.texts] == [True, False]


def test_what_began_and_ended_while_a_way_failed_is_told_by_it_in_one_sentence(alive: Connection, hook: Hook) -> None:
    hook.status = 503
    late(alive)
    look(alive)
    look(alive, 3)
    mended(alive)
    look(alive)
    look(alive, 3)
    hook.status = 200
    look(alive, 60)
    [told] = [text for text in hook.texts if "Queue emails" in text]
    assert "✓ It was so from " in told
    assert "which could not be told before: Queue emails is late" in told


def test_a_template_shapes_what_is_posted(alive: Connection, hook: Hook, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ALARM_WEBHOOK_TEMPLATE", '{"chat_id": -100, "text": "<b>{text}</b>", "more": ["{text}"]}')
    settings.current.cache_clear()
    assert CliRunner().invoke(cli.main, ["alarms", "--test"]).output == "webhook: told\n"
    [posted] = hook.posted
    assert (posted["chat_id"], posted["text"]) == (-100, f"<b>{posted['more'][0]}</b>")
    assert "alarms arrive" in posted["text"]


def test_a_mail_goes_to_all_of_them_with_a_login_over_tls(
    alive: Connection, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate = smtp.make_certificate(tmp_path)
    with smtp.running(login=True, certificate=certificate) as mailbox:
        environment.setenv("ALARM_SMTP_URL", f"smtp://clinic:secret@127.0.0.1:{mailbox.port}")
        environment.setenv("ALARM_EMAIL_TO", "head@clinic.example, doctor@clinic.example")
        environment.setenv("ALARM_EMAIL_FROM", "Alarms <alarms@clinic.example>")
        settings.current.cache_clear()
        refused = CliRunner().invoke(cli.main, ["alarms", "--test"])
        assert (refused.exit_code, refused.output.startswith("email: 127.0.0.1 did not take it: SSL")) == (1, True)
        environment.setenv("SSL_CERT_FILE", str(certificate))
        assert CliRunner().invoke(cli.main, ["alarms", "--test"]).output == "email: told\n"
        [mail] = mailbox.accepted
        assert (mail.mail_from, mail.rcpt_tos) == (
            "alarms@clinic.example",
            ["head@clinic.example", "doctor@clinic.example"],
        )


def test_a_wrong_login_is_told_without_it(environment: pytest.MonkeyPatch, alive: Connection) -> None:
    with smtp.running(login=True) as mailbox:
        environment.setenv("ALARM_SMTP_URL", f"smtp://clinic:guessed-wrong@127.0.0.1:{mailbox.port}")
        environment.setenv("ALARM_EMAIL_TO", "head@clinic.example")
        settings.current.cache_clear()
        said = CliRunner().invoke(cli.main, ["alarms", "--test"]).output
    assert said.startswith("email: 127.0.0.1 did not take it: SMTP")
    assert "guessed" not in said


def test_no_mail_of_an_alarm_asks_for_an_answer(mailbox: Mailbox, alive: Connection) -> None:
    assert CliRunner().invoke(cli.main, ["alarms", "--test"]).exit_code == 0
    [mail] = mailbox.accepted
    assert isinstance(mail.content, bytes)
    read = message_from_bytes(mail.content)
    assert read["Auto-Submitted"] == "auto-generated"
    assert read["Subject"] == "Balansity, balansity.example: a test"


def test_whoever_dies_between_the_call_and_the_note_lets_it_be_told_twice_at_most(
    alive: Connection, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    late(alive)
    look(alive)
    run(alive, "ALTER TABLE balansity.alarm_telling RENAME TO moved_away")
    run(alive, "CREATE VIEW balansity.alarm_telling AS SELECT * FROM balansity.moved_away WHERE false")
    run(alive, "CREATE RULE broken AS ON INSERT TO balansity.alarm_telling DO INSTEAD NOTHING")
    look(alive, 3)
    run(alive, "DROP VIEW balansity.alarm_telling")
    run(alive, "ALTER TABLE balansity.moved_away RENAME TO alarm_telling")
    for _ in range(3):
        look(alive, 1)
    assert len(hook.texts) == 2


def test_the_list_tells_by_which_ways_each_was_told(alive: Connection, hook: Hook) -> None:
    late(alive)
    look(alive)
    look(alive, 3)
    [alarm] = json.loads(CliRunner().invoke(cli.main, ["alarms", "--json"]).output)
    assert (alarm["check"], alarm["subject"], alarm["told_by"]) == ("queue-late", "emails", ["webhook"])
    assert alarm["what"].startswith("Queue emails is late")
    assert "Queue emails is late" in CliRunner().invoke(cli.main, ["alarms"], env={"COLUMNS": "200"}).output


def test_without_a_way_nothing_looks_and_doctor_says_so(alive: Connection) -> None:
    watch = Lookout()
    watch.start()
    assert not watch.thread.is_alive()
    watch.stop()
    told = json.loads(CliRunner().invoke(cli.main, ["doctor", "--json"]).output)
    assert {"alarms-unset", "heartbeat-unset"} <= {each["check"] for each in told}
    assert CliRunner().invoke(cli.main, ["alarms", "--test"]).exit_code == 1


def test_the_heart_beats_only_while_somebody_would_be_told(
    alive: Connection, hook: Hook, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("HEARTBEAT_URL", hook.url)
    settings.current.cache_clear()
    late(alive)
    look(alive)
    assert hook.beats == 1
    run(alive, "UPDATE balansity.scheduler SET looked_at = now() - interval '1 minute'")
    look(alive)
    assert hook.beats == 1
    run(alive, "UPDATE balansity.scheduler SET looked_at = now()")
    environment.setenv("ALARM_WEBHOOK_URL", "http://127.0.0.1:9/refused")
    settings.current.cache_clear()
    look(alive, 3)
    assert hook.beats == 1
