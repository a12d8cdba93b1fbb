"""Past one PostgreSQL: real workers, a real relay and a real RabbitMQ share the work, and nothing is lost."""

import json
import os
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pika
import psycopg2
import pytest

import settings
from db.connection import Pool
from messaging.parcel import Packed
from messaging.publisher import Publisher
from messaging.relayed import RelayedBroker
from tests.faults.crew import Crew, Office, ProcessGroup
from tests.servers import deaf_relay, rabbitmq
from tests.servers.rabbitmq import Cluster
from tests.waiting import until

pytestmark = pytest.mark.skipif(not rabbitmq.PROGRAM.exists(), reason="needs Debian's package rabbitmq-server")
MESSAGES = 2_000
MANY = 20_000
KEY = b64encode(bytes(32)).decode()
MAILS = 300
SENT = "SELECT state, count(*) FROM balansity.delivery GROUP BY state"
SEND_MAILS = """
    SELECT dramatiq.send('send_email', jsonb_build_object(
        'to', format('family-%%s@example.com', number), 'subject', 'Ваш отчет готов', 'template', 'report_ready',
        'variables', '{"name": "Анна"}'::jsonb))
    FROM generate_series(1, %s) AS number
"""
ASIDE = "SELECT state::text, priority, waits_for, message ->> 'payload' FROM dramatiq.queue ORDER BY state"
HEARD = "SELECT lives FROM dramatiq.relay_heard_within('30 seconds')"
NOWHERE = "amqp://somebody:hunter22@127.0.0.1:1"
SEND = "SELECT dramatiq.send('count', jsonb_build_object('number', %s::integer), unique_key => %s)"


class RelayProcess(ProcessGroup):
    """A `balansity relay`."""

    def __init__(self, office: Office, url: str, **environment: str) -> None:
        with office.log.open("ab") as log:
            paths = {"DATABASE_URL": office.url, "BROKER_URL": url}
            super().__init__(["-m", "cli", "relay"], os.environ | paths | environment, log)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with rabbitmq.running("one") as cluster:
        yield cluster


@pytest.fixture
def relay(office: Office, cluster: Cluster) -> Iterator[RelayProcess]:
    """A relay, and an empty RabbitMQ."""
    with pika.BlockingConnection(pika.URLParameters(cluster.url)) as connection:
        for queue in ("quick", "slow", "bridged", "heard"):
            connection.channel().queue_delete(queue)
    process = RelayProcess(office, cluster.url)
    yield process
    process.kill()


def relayed(office: Office, *urls: str) -> RelayedBroker:
    """A broker of the test's own, as the application's with this BROKER_URL."""
    return RelayedBroker(Pool(lambda: office.url, lambda: 2), urls=lambda: urls)


def outbox() -> Path:
    return settings.current().email_outbox_dir


def test_whatever_way_it_is_sent_it_runs_and_leaves_no_row(
    office: Office, crew: Crew, cluster: Cluster, relay: RelayProcess
) -> None:
    crew.hire(BROKER_URL=cluster.url)
    direct = relayed(office, cluster.url)
    direct.enqueue(office.message("count", 0))
    until(
        lambda: "0" in office.deeds() and office.states() == {},
        "a new queue may refuse its first, which comes after all",
    )
    direct.enqueue(office.message("count", 1))
    assert office.states() == {}, "it went past PostgreSQL"
    direct.enqueue(office.message("count", 2), delay=300)
    office.query(SEND, 3, None)
    office.query("SELECT pgmq.send('analytics_queue', '{\"number\": 4}')")
    for number, ends in ((5, "rollback"), (6, "commit")):
        caller = psycopg2.connect(office.url)
        with direct.transaction(caller):
            direct.enqueue(office.message("count", number))
        getattr(caller, ends)()
        caller.close()
    office.send_many("count", [(number,) for number in range(100, 100 + MESSAGES)])
    expected = {str(number) for number in (0, 1, 2, 3, 4, 6, *range(100, 100 + MESSAGES))}
    until(lambda: office.deeds().keys() >= expected, "all have run")
    assert office.deeds() == dict.fromkeys(expected, 1)
    assert office.states() == {}
    assert office.query("SELECT count(*) FROM pgmq.a_analytics_queue") == [(1,)]
    direct.close()


def test_retries_dead_letters_lines_and_unique_keys_are_kept_in_postgresql(
    office: Office, crew: Crew, cluster: Cluster, relay: RelayProcess
) -> None:
    worker = crew.hire(BROKER_URL=cluster.url)
    gate = office.open_gate()
    office.send("retry_after_gate", "again", max_retries=3)
    [dead] = [office.send("fail_after_gate", "never")]
    office.send("break_on", "nowhere@example.com")
    for _ in range(2):
        office.query(SEND, 7, "only once")
    in_line = [str(number) for number in range(20, 40)]
    office.send_many("count", [(number,) for number in in_line], key="one at a time")
    until(lambda: office.states().get("rejected") == 3, "three are dead letters")
    until(lambda: office.deeds().keys() >= {"7", *in_line}, "the others have run")
    deeds = office.deeds()
    assert (deeds["again"], deeds["never"], deeds["broke"], deeds["7"]) == (4, 1, 2, 1)
    assert [deed for deed, _, _ in office.effects() if deed in in_line] == in_line
    until(lambda: office.states() == {"rejected": 3, "done": 21}, "what has a line or a key is done")
    [(error,)] = office.query("SELECT error FROM dramatiq.queue WHERE message_id = %s", dead)
    assert "The gate was the wrong one." in error
    office.query(SEND, 7, "only once")
    office.query("SELECT dramatiq.redrive(ARRAY[%s]::uuid[])", dead)
    until(lambda: office.deeds()["never"] == 2, "the dead letter runs again")
    os.close(gate)
    assert office.deeds()["7"] == 1
    assert "nowhere@" not in office.logged()
    worker.terminate()
    assert worker.process.wait(timeout=20) == 0


def test_what_a_killed_worker_and_a_killed_relay_held_runs_elsewhere(
    office: Office, crew: Crew, cluster: Cluster, relay: RelayProcess
) -> None:
    victim = crew.hire(threads=2, BROKER_URL=cluster.url)
    office.send_many("finish_after_gate", [("one",), ("two",)])
    until(lambda: office.deeds().keys() == {"began:one", "began:two"}, "the victim is busy")
    office.send_many("count", [(number,) for number in range(5 * MESSAGES)])
    until(lambda: office.states().get("queued", 0) < 5 * MESSAGES, "the relay is under way")
    relay.kill()
    victim.kill()
    survivor, other = crew.hire(BROKER_URL=cluster.url), RelayProcess(office, cluster.url)
    gate = office.open_gate()
    expected = {str(number) for number in range(5 * MESSAGES)} | {"one", "two"}
    until(lambda: office.deeds().keys() >= expected, "all have run")
    os.close(gate)
    assert office.states() == {}
    other.terminate()
    assert other.process.wait(timeout=20) == 0
    survivor.terminate()
    assert survivor.process.wait(timeout=20) == 0


def test_what_no_worker_can_run_comes_back_to_postgresql(
    office: Office, crew: Crew, cluster: Cluster, relay: RelayProcess
) -> None:
    worker = crew.hire(BROKER_URL=cluster.url)
    publisher = Publisher([cluster.url])
    absent = office.message("absent", 1).encode().decode()
    publisher.publish([Packed("quick", 0, "no message"), Packed("quick", 7, absent)])
    publisher.close()
    until(lambda: office.states() == {"queued": 1, "rejected": 1}, "both are back")
    assert office.query(ASIDE) == [("queued", 7, "absent", None), ("rejected", 0, None, "no message")]
    worker.terminate()
    assert worker.process.wait(timeout=20) == 0


def test_a_relay_outlives_a_server_that_goes_while_it_moves_one_by_one(
    office: Office, crew: Crew, cluster: Cluster
) -> None:
    crew.hire(BROKER_URL=cluster.url)  # it has told SQL of its actors
    office.query("ALTER TABLE pgmq.a_analytics_queue ADD CONSTRAINT odd CHECK (message <> '{\"number\": 13}')")
    office.query("SELECT pgmq.send('analytics_queue', '{\"number\": 13}')")
    with deaf_relay.running(office.url) as way:
        way.lose_answer_to = b"bridge_singly"
        relay = RelayProcess(office, cluster.url, DATABASE_URL=way.url)
        until(lambda: way.lost == 1, "the server goes")
        office.query("SELECT pgmq.send('analytics_queue', '{\"number\": 14}')")
        until(lambda: relay.process.poll() is not None or office.deeds()["14"] == 1, "the relay goes on, or ends")
        assert relay.process.poll() is None
        relay.kill()


def test_with_keys_nothing_lies_readable_in_rabbitmq(office: Office, crew: Crew, cluster: Cluster) -> None:
    with pika.BlockingConnection(pika.URLParameters(cluster.url)) as connection:
        channel = connection.channel()
        for queue in ("quick", "heard"):
            channel.queue_delete(queue)
        relay = RelayProcess(office, cluster.url, MESSAGE_KEYS=KEY)
        crew.hire(MESSAGE_KEYS=KEY).terminate()  # it has told SQL of its actors
        crew.workers.pop().process.wait()
        office.query("SELECT pgmq.send('email_queue', %s::jsonb)", json.dumps({"address": "pgmq@example.com"}))
        office.query("SELECT dramatiq.send('hear', '{\"address\": \"sql@example.com\"}')")
        until(lambda: channel.queue_declare("heard", passive=True).method.message_count == 2, "both have arrived")
        bodies = [channel.basic_get("heard")[2].decode() for _ in range(2)]
    assert not any("example" in body for body in bodies)
    crew.hire(MESSAGE_KEYS=KEY, BROKER_URL=cluster.url)
    until(lambda: office.deeds() == {"pgmq@example.com": 1, "sql@example.com": 1}, "both are opened and run")
    relay.kill()


@pytest.mark.heavy
def test_of_three_nodes_one_is_killed_in_mid_run_nothing_is_lost_and_mails_are_single(
    office: Office, crew: Crew
) -> None:
    with rabbitmq.running("one", "two", "three") as cluster:
        relay = RelayProcess(office, cluster.url)
        crew.hire(BROKER_URL=cluster.url)
        crew.hire(BROKER_URL=cluster.url, module="actors")
        direct = relayed(office, *cluster.url.split(","))
        office.send_many("count", [(number,) for number in range(MANY)])
        office.query(SEND_MAILS, MAILS)
        until(lambda: office.deeds().total() > MANY / 4 and any(outbox().glob("*.eml")), "the drain is under way")
        cluster.kill(0)
        for number in range(MANY, MANY + 200):
            direct.enqueue(office.message("count", number))
        direct.close()
        expected = {str(number) for number in range(MANY + 200)}
        until(lambda: office.deeds().keys() >= expected, "all have run")
        until(lambda: office.query(SENT) == [("sent", MAILS)], "all mails are sent")
        until(lambda: office.states() == {}, "PostgreSQL has none")
        assert len(list(outbox().glob("*.eml"))) == MAILS
        print(f"ran {office.deeds().total()} times, of {MANY + 200} messages")
        relay.kill()
        crew.dismiss()


def test_a_relay_is_heard_also_while_rabbitmq_is_away(office: Office) -> None:
    office.send("count", 1)
    relay = RelayProcess(office, NOWHERE)
    until(lambda: office.query(HEARD) == [(True,)], "it is heard")
    first = office.query("SELECT heard_at FROM dramatiq.relay")
    until(lambda: office.query("SELECT heard_at FROM dramatiq.relay") != first, "it is heard again")
    relay.kill()


def test_where_rabbitmq_is_away_messages_wait_in_postgresql(office: Office) -> None:
    direct = relayed(office, NOWHERE)
    message = direct.enqueue(office.message("count", 1))
    assert office.query("SELECT message_id::text FROM dramatiq.queue") == [(message.message_id,)]
    direct.close()
