"""Indexes the site's tables by what is looked up there, while the site goes on writing: each outside a transaction.

What the triggers and the provider's notices look up must not be a walk through a table, which the site's transaction
would pay for; nor what jobs and people look up, once the tables have grown for years. One payment, one consultation: a
live database may keep that by an index of another name, or not at all. No index has a condition on a status, which the
site may make an enumeration, and none runs a function of ours, which the site's visitors may not.
"""

from typing import Any

from yoyo import step

from errors import DatabaseError

__transactional__ = False

INDEXES = (
    # name, table, columns, whether unique where it is not null
    ("appointments_payment_id_unique", "appointments", ["payment_id"], True),
    ("appointments_user_id_idx", "appointments", ["user_id"], False),
    ("appointments_status_scheduled_at_idx", "appointments", ["status", "scheduled_at"], False),
    ("appointments_created_at_idx", "appointments", ["created_at"], False),
    ("assessments_profile_id_idx", "assessments", ["profile_id"], False),
    ("assessments_status_idx", "assessments", ["status"], False),
    ("assessments_started_at_idx", "assessments", ["started_at"], False),
    ("payments_user_id_idx", "payments", ["user_id"], False),
    ("payments_status_external_payment_id_idx", "payments", ["status", "external_payment_id"], False),
    ("payments_created_at_idx", "payments", ["created_at"], False),
    ("payments_external_payment_id_idx", "payments", ["external_payment_id"], False),
    ("package_purchases_payment_id_idx", "package_purchases", ["payment_id"], False),
    ("profiles_user_id_idx", "profiles", ["user_id"], False),
)
WORDS = (  # name, table, expression: as balansity.address_in has it, and as surnames are searched
    ("users_address_idx", "users", r"""substring(lower(email::text) FROM '[^\s<>"]+@[^\s<>"]+')"""),
    ("profiles_last_name_idx", "profiles", "lower(last_name::text)"),
)
IS_INDEXED = """
    SELECT EXISTS (
        SELECT FROM pg_index i
        WHERE i.indrelid = format('public.%%I', %(table)s::text)::regclass AND i.indisvalid
          AND %(columns)s = ARRAY(
              SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY AS key (number, place)
              JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = key.number
              WHERE key.place <= cardinality(%(columns)s) ORDER BY key.place)
          AND CASE WHEN %(unique)s THEN i.indisunique AND i.indnkeyatts = 1
                    AND coalesce(pg_get_expr(i.indpred, i.indrelid), '(payment_id IS NOT NULL)')
                        = '(payment_id IS NOT NULL)'
                   ELSE i.indpred IS NULL END)
"""
IS_OURS = "SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(%s) AND indisvalid AND 0 = ANY (indkey))"
SHARED = """
    SELECT payment_id FROM public.appointments WHERE payment_id IS NOT NULL
    GROUP BY payment_id HAVING count(*) > 1 LIMIT 1
"""


def index(connection: Any) -> None:
    cursor = connection.cursor()
    for name, table, columns, unique in INDEXES:
        cursor.execute(IS_INDEXED, {"table": table, "columns": columns, "unique": unique})
        if cursor.fetchone()[0]:
            continue
        if unique:
            _refuse_shared(cursor)
        kind, condition = ("UNIQUE INDEX", f" WHERE {columns[0]} IS NOT NULL") if unique else ("INDEX", "")
        listed = ", ".join(columns)
        cursor.execute(f"CREATE {kind} CONCURRENTLY {_free(cursor, name)} ON public.{table} ({listed}){condition}")
    for name, table, expression in WORDS:
        cursor.execute(IS_OURS, (f"public.{name}",))
        if not cursor.fetchone()[0]:
            cursor.execute(f"CREATE INDEX CONCURRENTLY {_free(cursor, name)} ON public.{table} (({expression}))")


def _free(cursor: Any, name: str) -> str:
    """The name, without what an attempt that was ended left under it; none where an index of the site's bears it."""
    cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", (f"public.{name}",))
    match cursor.fetchone():
        case (True,):
            return ""
        case (False,):
            cursor.execute(f"DROP INDEX CONCURRENTLY public.{name}")
    return name


def _refuse_shared(cursor: Any) -> None:
    cursor.execute(SHARED)
    if shared := cursor.fetchone():
        raise DatabaseError(
            f"Several appointments have payment_id {shared[0]}: set it to NULL in all but one of them, in every such "
            "group, and migrate again."
        )


steps = [step(index)]
