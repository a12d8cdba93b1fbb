"""Nobody becomes the owner of our functions: their paths are pinned, and what a stranger plants is never called."""

from datetime import UTC, datetime, timedelta

import pytest

from db import queries
from db.connection import Connection
from db.session import START
from tests.clinic import Clinic

OURS = "pronamespace IN ('dramatiq'::regnamespace, 'balansity'::regnamespace, 'public'::regnamespace)"
TWINS = ("public.", "balansity.site_")
DEFINERS = {
    "dramatiq.send",  # whoever may send may do nothing else to the queue
    "dramatiq.start_over",  # nor forget how a message ended but by sending it anew
    *("dramatiq.make_day", "dramatiq.drop_day"),  # only an owner makes and drops tables; workers may ask for a day's
    # likewise a month's
    *(f"balansity.{what}" for what in ("make_month", "drop_month", "release_keys", "purge_strays")),
    "dramatiq.discard",  # whoever acts on a page may delete what is given up, and nothing else
    "balansity.opened_report",  # the pages may read no report, but one that the operators' log says is opened
    "dramatiq.ring_for_pgmq",  # a trigger of pgmq's tables: their senders know nothing of ours
    # what the site calls, and the sources that these are made from when ours takes over
    *(f"{place}queue_{what}" for place in TWINS for what in ("email_task", "report_generation", "payment_processing")),
    *(f"{place}{what}" for place in TWINS for what in ("update_appointment_statuses", "send_appointment_reminders")),
    *(f"{place}pgmq_{what}" for place in TWINS for what in ("read", "archive", "nack", "metrics")),
    # triggers of the site's tables: its visitors may do nothing of what follows
    *(f"balansity.handle_{what}" for what in ("checkup_completed", "new_appointment", "appointment_change")),
    "balansity.handle_new_payment",
    "balansity.handle_payment_status_change",
}
UNPINNED = {"balansity.unheard", "balansity.waiting_payments"}  # inlined; their comments say why
PINNED = "search_path=pg_catalog, pg_temp"
# Those that write the site's rows or call its functions, which look for their tables in public;
# every name in them is whole.
WRITERS = {
    *(f"balansity.change_{what}" for what in ("appointment", "payment", "assessment")),
    *("balansity.add_appointment", "balansity.add_purchase", "balansity.empty_purchase", "balansity.scores_by_site"),
}
WIDER = "search_path=pg_catalog, public, extensions, pg_temp"

PINNING_COLUMNS = """
    SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid)
    FROM pg_depend d JOIN pg_class t ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
    WHERE t.relnamespace = 'public'::regnamespace AND d.refobjsubid > 0
      AND d.classid IN ('pg_proc'::regclass, 'pg_rewrite'::regclass, 'pg_trigger'::regclass)
"""
# A stranger's types, tables, functions and operators, each of which writes down for whom it was called.
PLANT = """
    CREATE TABLE public.called (by name DEFAULT current_user);
    CREATE ROLE stranger BYPASSRLS;
    GRANT INSERT ON public.called TO stranger;
    GRANT CREATE ON SCHEMA public TO stranger;
    GRANT SELECT, UPDATE ON public.assessments, public.payments, public.appointments TO stranger;
    SET LOCAL ROLE stranger;
    CREATE FUNCTION pg_temp.note() RETURNS boolean LANGUAGE plpgsql AS
        'BEGIN INSERT INTO public.called DEFAULT VALUES; RETURN true; END';
    DO $$
    DECLARE
        kinds text[] := '{text, varchar, uuid, int4, int8, numeric, float8, timestamptz, interval, jsonb}';
        one text;
        other text;
        operator text;
        relation name;
    BEGIN
        SET LOCAL search_path = pg_catalog;
        FOREACH one IN ARRAY kinds LOOP
            FOREACH other IN ARRAY kinds LOOP
                EXECUTE format('CREATE FUNCTION public.format(%I, %I) RETURNS text
                    LANGUAGE plpgsql AS ''BEGIN INSERT INTO public.called DEFAULT VALUES; RETURN 0; END''', one, other);
                FOREACH operator IN ARRAY '{=, <>, <, <=, >, >=, +, -, *, ||, ->>, ~}'::text[] LOOP
                    EXECUTE format('CREATE OPERATOR public.%s (FUNCTION = public.format, LEFTARG = %I, RIGHTARG = %I)',
                                   operator, one, other);
                END LOOP;
            END LOOP;
        END LOOP;
        FOR relation IN
            SELECT DISTINCT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'v') AND n.nspname IN ('public', 'dramatiq', 'balansity', 'pgmq')
              AND c.relname <> 'called'
        LOOP
            EXECUTE format('CREATE TEMP VIEW %I AS SELECT pg_temp.note()', relation);
        END LOOP;
        FOREACH one IN ARRAY kinds || '{bool, name, regclass, regproc, oid}'::text[] LOOP
            EXECUTE format('CREATE DOMAIN pg_temp.%1$I AS pg_catalog.%1$I CHECK (pg_temp.note())', one);
        END LOOP;
    END $$;
    SET LOCAL search_path = public;
"""
NAIVE = """
    CREATE FUNCTION public.naive(seconds bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS
        'BEGIN PERFORM seconds * pg_catalog.make_interval(secs => 1); PERFORM 1::numeric; END';
    GRANT EXECUTE ON FUNCTION public.naive TO stranger;
    TRUNCATE public.called;
    SET LOCAL search_path = public;
    SET LOCAL ROLE stranger;
    SELECT public.naive(1);
    RESET ROLE;
"""
BY_OTHERS = "SELECT count(*) FROM public.called WHERE by <> 'stranger'"


def run(clinic: Clinic, script: str) -> None:
    with clinic.connection.cursor() as cursor:
        cursor.execute(script)


def test_every_function_of_ours_has_a_path_that_nobody_else_writes_to(undone: Connection) -> None:
    rows = Clinic(undone).rows(
        "SELECT concat_ws('.', pronamespace::regnamespace, proname), prosecdef, prosqlbody IS NOT NULL, "
        "       coalesce(proconfig, '{}'), "
        "       EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE grantee = 0) "
        f"FROM pg_proc WHERE {OURS}"
    )
    assert {name for name, is_definer, *_ in rows if is_definer} == DEFINERS
    assert {
        name for name, _, is_bound, settings, _ in rows if not is_bound and not {PINNED, WIDER} & set(settings)
    } == UNPINNED
    assert {name for name, *_, settings, _ in rows if WIDER in settings} == WRITERS
    assert [name for name, *_, is_public in rows if is_public] == []


def test_nothing_of_ours_pins_a_column_of_the_sites(undone: Connection) -> None:
    assert Clinic(undone).rows(PINNING_COLUMNS) == []


@pytest.mark.undone
def test_what_a_stranger_plants_is_never_called(clinic: Clinic, user: str) -> None:
    checkup, payment = clinic.add_checkup(user), clinic.add_payment(user)
    appointment = clinic.book(user, datetime.now(UTC) + timedelta(days=2), "pending", payment_id=payment)
    run(clinic, PLANT)

    # As the stranger, whose session names them first: the triggers run as their owner.
    moved = "scheduled_at = scheduled_at OPERATOR(pg_catalog.+) pg_catalog.make_interval(hours => 1)"
    for table, change, row_id in (
        ("assessments", "status = 'completed'", checkup),
        ("payments", "status = 'completed'", payment),
        ("appointments", moved, appointment),
    ):
        statement = f"UPDATE public.{table} SET {change} WHERE id OPERATOR(pg_catalog.=) %s RETURNING 1"
        assert clinic.rows(statement, row_id) == [(1,)]
    # As a worker: by the named queries, in a session such as ours.
    run(clinic, f"RESET ROLE; SET LOCAL search_path = {START['search_path']}")
    now = datetime.now(UTC) + timedelta(days=300)
    queries.appointments.update_appointment_statuses(clinic.connection, now=now, keys=[appointment])
    queries.payments.waiting(clinic.connection, after=None, rows=10)
    queries.payments.claim_checks(clinic.connection, keys=[payment], now=now)
    queries.broker.enqueue(clinic.connection, messages="", priorities=[], delay=5, tried=None, lines=[], built=0)
    queries.broker.next_due(clinic.connection, queue="emails", pgmq_queue="email_queue")
    queries.broker.exchange(
        clinic.connection,
        worker=0,
        queue="emails",
        done=[],
        attempts=[],
        limit=9,
        pgmq_queue=None,
        actor=None,
        after=None,
    )
    assert clinic.value(BY_OTHERS) == 0
    assert len(clinic.templates()) == 4

    run(clinic, NAIVE)
    assert clinic.value(BY_OTHERS) > 0, "what was planted calls nobody"
