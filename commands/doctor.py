"""Say what is wrong with an installation, and how to mend it."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click
import psycopg2
from rich.markup import escape

import actors
import db.database
import settings
from address import shown
from broker import broker
from checks import jobs, looks, processes, providers, schema, sender, telling
from checks.finding import Finding, moment
from commands import exposure, schema_looks
from commands.output import Terminal, json_option, show_json
from db import queries
from db.connection import Connection
from db.migrate import LISTS, lost_list, pending
from errors import BalansityError
from gateways import report_storage
from log import first_line
from mail import restore
from procfile import SERVE, unserved

# Quick checks that are made otherwise here: by counts that move, by what yoyo reads, after a look for news.
ELSEWHERE = (processes.beating, schema.migrated, providers.restored)
SIGNS = {"good": "[green]✓[/]", "note": "[yellow]![/]", "bad": "[red]✗[/]"}


@click.command()
@json_option
def doctor(*, as_json: bool) -> None:
    """Look at settings, database, workers and what waits for a person; exits with 1 where something is bad."""
    findings = list(_findings())
    if as_json:
        show_json([finding.told() for finding in findings])
    else:
        console = Terminal(highlight=False, soft_wrap=True)
        for finding in findings:
            told = finding.what + f"\n    → {finding.advised()}" * bool(finding.remedy)
            console.print(f"{SIGNS[finding.verdict]} {escape(told)}")
    sys.exit(any(finding.verdict == "bad" for finding in findings))


def _findings() -> Iterator[Finding]:
    yield from _settings()
    yield from exposure.of_settings()
    yield from telling.configured()
    yield from sender.reputation()
    yield _report_storage()
    yield _actors()
    try:
        url = db.database.url()
        conn = db.database.connect(url)
    except BalansityError as error:
        yield Finding("bad", str(error), "Start the server, or correct DATABASE_URL.")
        return
    conn.autocommit = True
    yield Finding("good", f"PostgreSQL {queries.doctor.server_version(conn)} at {shown(url)}")
    try:
        yield from _database(conn, url)
    finally:
        conn.close()


def _settings() -> Iterator[Finding]:
    current = settings.current()
    if current.email_provider == "file":
        yield Finding("note", f"Mail goes to files in {current.email_outbox_dir}.", "Set EMAIL_PROVIDER to send it.")
    else:
        second = current.email_fallback_provider
        yield Finding(
            "good",
            f"Mail leaves through {current.email_provider}"
            + (f", with a deadline through {second} while that is away." if second else "."),
        )
    if not current.yookassa_shop_id:
        yield Finding("note", "YooKassa is not configured: payments cannot be verified.", "Set YOOKASSA_SHOP_ID.")
    if not current.broker_listen:
        yield Finding("note", "BROKER_LISTEN is off: workers notice new messages within a second.")


def _report_storage() -> Finding:
    if not settings.current().report_storage_url:
        return Finding("good", "Reports are kept in PostgreSQL.")
    try:
        report_storage.probe()
    except (BalansityError, OSError) as error:
        remedy = "Correct REPORT_STORAGE_URL and the settings that go with it, see .env.example."
        return Finding("bad", f"Reports cannot be kept: {error}", remedy)
    return Finding("good", "Report storage: a file was written, read and removed.")


def _actors() -> Finding:
    if actors.broken:
        return Finding("bad", str(actors.broken[0]), "Mend that file: without it no worker starts.")
    if waiting := unserved(broker.queues):
        return Finding("note", waiting, SERVE)
    return Finding("good", "Every queue has a worker in the Procfile.")


def _database(conn: Connection, url: str) -> Iterator[Finding]:
    if closed := queries.doctor.closed_schemas(conn):
        yield Finding("bad", f"This role may not use the schemas {closed}.", schema_looks.right_role(conn))
        return
    missing, finding = _migrations(conn, url)
    yield finding
    if missing:
        return
    try:
        yield from schema_looks.differences(conn)
    except psycopg2.errors.InsufficientPrivilege as error:
        yield Finding("bad", first_line(error), schema_looks.right_role(conn))
    for look in LOOKS:
        yield from _looked(look, conn)


def _migrations(conn: Connection, url: str) -> tuple[bool, Finding]:
    """Whether migrations are missing, without which there is nothing to look at, and what is to be said of them."""
    if queries.doctor.missing_schemas(conn):
        return True, _migration("bad", "Migrations are missing: all", "Run `balansity migrate`.")
    for name in LISTS:
        if queries.intended.is_listless(conn, schema=name):
            return False, _migration("bad", f"{name} no longer lists what migrations are applied.", lost_list(name))
    try:
        missing = pending(url, start_options=db.database.start_options())
    except psycopg2.errors.InsufficientPrivilege:
        return False, _migration(
            "note", "This role cannot see which migrations are applied.", schema_looks.right_role(conn)
        )
    if missing:
        return True, _migration("bad", f"Migrations are missing: {', '.join(missing)}", "Run `balansity migrate`.")
    return False, _migration("good", "Every migration is applied.")


def _migration(verdict: str, what: str, remedy: str = "") -> Finding:
    return Finding(verdict, what, remedy, check="migrations-missing", calls=verdict == "bad")


def _looked(look: Callable[[Connection], Finding | Iterable[Finding]], conn: Connection) -> Iterator[Finding]:
    """What a look finds; where it cannot look, that: what it asks may be what is broken."""
    try:
        found = look(conn)
        yield from [found] if isinstance(found, Finding) else found
    except psycopg2.errors.InsufficientPrivilege as error:
        yield Finding("bad", str(error).strip(), schema_looks.right_role(conn))
    except (psycopg2.Error, BalansityError) as error:
        what = f"{look.__name__.strip('_').replace('_', ' ').capitalize()} cannot be looked at: {first_line(error)}"
        yield Finding("bad", what, "If something is not as it should be, see above, mend that first.")


def _pgmq(conn: Connection) -> Finding:
    origin, silent = queries.doctor.pgmq_origin(conn), queries.doctor.doorless_queues(conn)
    if silent:
        what = f"pgmq: {origin}; no bell rings for {silent}: workers notice within a second."
        return Finding("note", what, "Run `balansity migrate` as the owner of pgmq's tables.")
    return Finding("good", f"pgmq: {origin}")


def _routes(conn: Connection) -> Finding:
    declared = {route.pgmq_queue for route in broker.routes.values()}
    if missing := declared.difference(row.pgmq_queue for row in queries.doctor.routed_queues(conn)):
        what = f"pgmq queues that feed no actor, and should: {', '.join(sorted(missing))}"
        return Finding("bad", what, "Run `balansity migrate` of this version: it publishes the routes.")
    return Finding("good", "pgmq queues that feed no actor, and should: none")


def _views(conn: Connection) -> Finding:
    queues, cron = queries.doctor.queue_views_schema(conn), queries.doctor.cron_views_schema(conn)
    return Finding("good", f"Waiting messages: {queues}.email_queue and its sisters; the schedule: {cron}")


def _message_keys(conn: Connection) -> Finding:
    names = broker.seal.key_names()
    sealed = {row.key: row.messages for row in queries.messages.sealed_messages(conn)}
    plain = sealed.pop(None, 0)
    if lost := ", ".join(f"{key} ({count})" for key, count in sealed.items() if key not in names):
        remedy = (
            "Add these keys to MESSAGE_KEYS of every process; of a key that is gone for ever, "
            "`balansity dead --give-up 'key NAME'` makes dead letters of what waits for it."
        )
        return Finding("bad", f"Messages are encrypted with keys that are not in MESSAGE_KEYS: {lost}", remedy)
    if not names:
        what = "MESSAGE_KEYS is not set: addresses and what mails say lie in plain in queues, archives and backups."
        return Finding("note", what, "Set it, see docs/operations.md: `openssl rand -base64 32` makes a key.")
    in_use = ", ".join(f"{key} ({count})" for key, count in sealed.items()) or "none yet"
    what = f"Messages are encrypted with key {names[0]}; by key: {in_use}"
    if plain:
        return Finding("note", f"{what}; not yet encrypted: {plain}", "The hourly purge encrypts them.")
    return Finding("good", what)


def _charge(conn: Connection) -> Finding:
    if queries.takeover.in_charge(conn):
        return Finding("good", "Ours is in charge of this database.")
    return Finding(
        "note",
        "An old system is in charge of this database: our triggers, jobs and workers wait.",
        "`balansity take-over --plan` shows what is left to do.",
    )


def _old_readers(conn: Connection) -> Finding:
    if queues := queries.takeover.other_readers(conn):
        remedy = "Switch off what reads there (an old worker, an Edge Function): each message goes to one of the two."
        return Finding("note", f"Somebody beside our workers reads from: {queues}", remedy)
    return Finding("good", "Readers of our pgmq queues beside our workers: none")


def _old_jobs(conn: Connection) -> Finding:
    if queries.doctor.may_read_cron(conn) and (old := queries.doctor.old_cron_jobs(conn)):
        if not queries.takeover.in_charge(conn):
            return Finding("good", f"Old pg_cron jobs do their work until ours takes over: {old}")
        remedy = "As that role, or as a superuser: SELECT cron.unschedule(jobid), with each number above."
        return Finding("bad", f"Old pg_cron jobs run beside ours: {old}", remedy)
    return Finding("good", "Old pg_cron jobs beside ours: none that this role can see")


def _time_zone(conn: Connection) -> Finding:
    zone = settings.current().time_zone.key
    try:
        queries.doctor.clinics_time(conn, zone=zone)
    except psycopg2.DataError:
        remedy = "Set TIME_ZONE to a name that both know, or give the server newer time zones."
        return Finding("bad", f"The database knows no time zone {zone}: days cannot be counted.", remedy)
    return Finding("good", f"The database knows the clinic's time zone, {zone}.")


def _events(conn: Connection) -> Finding:
    zone = settings.current().time_zone.key
    what = f"Analytics events on a day that is not theirs in {zone}"
    if count := queries.doctor.misplaced_events(conn, zone=zone):
        return Finding("note", f"{what}: {count}", "`balansity stats --recount` puts them on their day.")
    return Finding("good", f"{what}: none")


def _sleepers(conn: Connection) -> Finding:
    what = "Mails that wait for the morning"
    if count := queries.deliveries.count_sleeping(conn):
        return Finding("note", f"{what}: {count}", "An outage has delayed them; EMAIL_NIGHT says when they may leave.")
    return Finding("good", f"{what}: none")


def _restores(conn: Connection) -> Iterator[Finding]:
    restore.notice()
    for each in queries.deliveries.restores(conn):
        back = f" (to {moment(each.restored_to)})" if each.restored_to else ""
        yield Finding("note", f"The database was restored, noticed {moment(each.noticed_at)}{back}")
    yield from providers.restored(conn)


def _counted(name: str, what: str, remedy: str) -> Callable[[Connection], Finding]:
    def look(conn: Connection) -> Finding:
        count: Any = getattr(queries.doctor, name)(conn)
        return Finding("note", f"{what}: {count}", remedy) if count else Finding("good", f"{what}: none")

    return look


LOOKS: tuple[Callable[[Connection], Finding | Iterable[Finding]], ...] = (
    schema_looks.rights,
    schema_looks.roles,
    schema_looks.statement_limit,
    exposure.of_connection,
    exposure.of_server,
    _pgmq,
    _routes,
    _views,
    processes.living,
    processes.hearing,
    _message_keys,
    processes.knowing,
    jobs.in_time,
    _charge,
    _old_readers,
    _old_jobs,
    _time_zone,
    _events,
    _sleepers,
    _restores,
    *(look for look in looks.QUICK if look not in ELSEWHERE),
    _counted("unserved_queues", "Queues that fall behind", "Add workers, or name the queue in the Procfile."),
    _counted("dead_letters", "Dead letters", "`balansity dead` shows why; `balansity redrive` sends them back."),
    _counted("failed_mails", "Mails that did not leave in the last week", "`balansity deliveries --failed` shows why."),
    _counted(
        "odd_appointments",
        "Appointments with a time or a duration that nobody can mean",
        "Correct them on the site: until then their type's duration counts, and no mail names their time.",
    ),
)
