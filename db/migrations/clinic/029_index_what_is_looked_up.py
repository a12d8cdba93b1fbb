"""Indexes the site's tables by what is looked up there, while the site goes on writing: each outside a transaction.

What the triggers and the provider's notices look up must not be a walk through a table, which the site's transaction
would pay for. One payment, one consultation: a live database may keep that by an index of another name, or not at all.
"""

from typing import Any

from yoyo import step

from errors import DatabaseError

__transactional__ = False

INDEXES = (
    # name, table, column, whether unique where it is not null
    ("appointments_payment_id_unique", "appointments", "payment_id", True),
    ("payments_user_id_idx", "payments", "user_id", False),
    ("payments_external_payment_id_idx", "payments", "external_payment_id", False),
    ("package_purchases_payment_id_idx", "package_purchases", "payment_id", False),
)
IS_INDEXED = """
    SELECT EXISTS (
        SELECT FROM pg_index i
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = format('public.%%I', %(table)s::text)::regclass AND i.indisvalid AND a.attname = %(column)s
          AND CASE WHEN %(unique)s THEN i.indisunique AND i.indnkeyatts = 1
                    AND coalesce(pg_get_expr(i.indpred, i.indrelid), '(payment_id IS NOT NULL)')
                        = '(payment_id IS NOT NULL)'
                   ELSE i.indpred IS NULL END)
"""
SHARED = """
    SELECT payment_id FROM public.appointments WHERE payment_id IS NOT NULL
    GROUP BY payment_id HAVING count(*) > 1 LIMIT 1
"""


def index(connection: Any) -> None:
    cursor = connection.cursor()
    for name, table, column, unique in INDEXES:
        cursor.execute(IS_INDEXED, {"table": table, "column": column, "unique": unique})
        if cursor.fetchone()[0]:
            continue
        if unique:
            _refuse_shared(cursor)
        kind, condition = ("UNIQUE INDEX", f" WHERE {column} IS NOT NULL") if unique else ("INDEX", "")
        cursor.execute(f"CREATE {kind} CONCURRENTLY {_free(cursor, name)} ON public.{table} ({column}){condition}")


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
