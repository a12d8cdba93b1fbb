"""What people and programs ask of a database after years; {names} stand for ids of things that are in it."""

from db.connection import Connection

OLDEST = "FROM dramatiq.queue WHERE state = 'done' ORDER BY mtime LIMIT 1"
SAMPLES = {
    "message": f"SELECT message_id {OLDEST}",
    "about": f"SELECT message #>> '{{kwargs,appointment_id}}' {OLDEST}",
    "trace": f"SELECT message #>> '{{options,trace}}' {OLDEST}",
    "bridged": "SELECT dramatiq.trace_at(min(enqueued_at)) FROM pgmq.a_email_queue",
    "delivery": "SELECT id FROM balansity.delivery ORDER BY changed_at LIMIT 1",
    "key": "SELECT key FROM balansity.delivery ORDER BY changed_at LIMIT 1",
    "user": "SELECT id FROM public.users ORDER BY created_at DESC OFFSET 5 LIMIT 1",
    "address": "SELECT email FROM public.users ORDER BY created_at DESC OFFSET 5 LIMIT 1",
    "surname": "SELECT last_name FROM public.profiles ORDER BY user_id LIMIT 1",
    "payment": "SELECT id FROM public.payments WHERE status = 'completed' ORDER BY created_at LIMIT 1",
    "appointment": "SELECT id FROM public.appointments ORDER BY created_at LIMIT 1",
    "report": "SELECT id FROM balansity.report ORDER BY created_at LIMIT 1",
    "now": "SELECT to_char(now(), 'YYYY-MM-DD\"T\"HH24:MI')",
    "month_ago": "SELECT to_char(now() - interval '30 days', 'YYYY-MM-DD\"T\"HH24:MI')",
}

PAGES = (
    "/",
    "/queues",
    "/queues/emails",
    "/messages",
    "/messages?state=done",
    "/messages?queue=emails",
    "/messages?queue=reports",
    "/messages?actor=send_email",
    "/messages?actor=generate_report",
    "/messages?actor=nobody",
    "/messages?since=7d",
    "/messages?about=appointment_id={about}",
    "/messages?about=trace={trace}",
    "/messages?about=trace={bridged}",
    "/messages/{message}",
    "/failures",
    "/running",
    "/jobs",
    "/jobs?from={month_ago}&to={now}",
    "/jobs/keep-minutes",
    "/jobs/keep-minutes?from={month_ago}&to={now}",
    "/plan",
    "/plan?period=week",
    "/deliveries",
    "/deliveries?state=delivered",
    "/deliveries?state=bounced",
    "/deliveries?state=failed",
    "/deliveries/{delivery}",
    "/payments",
    "/payments?list=unasked",
    "/payments/{payment}",
    "/reports",
    "/reports/{report}",
    "{address} /people",
    "{surname} /people",
    "{appointment} /people",
    "/people/user/{user}",
    "/numbers",
    "/numbers?period=last-month",
    "/log",
    "/actions",
    "/mails",
    "/health",
    "/health/system",
    "/metrics",
    "/readyz",
)

COMMANDS = (
    "status",
    "queues",
    "messages",
    "messages --state done",
    "messages --actor generate_report",
    "messages --where appointment_id={about}",
    "messages --trace {trace}",
    "dead",
    "dead --actor send_email",
    "failures",
    "running --json",
    "jobs",
    "jobs history",
    "deliveries",
    "deliveries --state delivered",
    "deliveries --unheard",
    "deliveries {delivery:.8}",
    "deliveries {key}",
    "payments",
    "person {address}",
    "person {surname}",
    "person {user}",
    "plan",
    "reports",
    "stats",
    "suppressions",
    "log",
    "alarms",
    "restored",
)

STATEMENTS = (
    "SELECT * FROM public.pgmq_metrics('email_queue')",
    "SELECT * FROM pgmq.email_queue ORDER BY enqueued_at DESC LIMIT 10",
    "SELECT count(*) FROM balansity.waiting_payments()",
    "SELECT * FROM cron.job_run_details ORDER BY start_time DESC LIMIT 10",
)


def samples(conn: Connection) -> dict[str, str]:
    """An id, or a word, for each name."""
    found = {}
    with conn.cursor() as cursor:
        for name, statement in SAMPLES.items():
            cursor.execute(statement)
            [(value,)] = cursor.fetchall()
            found[name] = str(value)
    return found
