"""A text that names a uuid or an address has its mark, whatever stands around it: none is missed for its words."""

from random import choices
from string import ascii_letters, digits
from uuid import UUID

from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from db.connection import Connection

SHARED = "SELECT dramatiq.marks_in(%s) && dramatiq.marks_in(%s)"
AROUND = st.text('0123456789abcdefABCDEF-@.+_ "<>яЁ\\:', max_size=20)
LOCAL, DOMAIN = (
    st.text("abc019._+-я'", min_size=1, max_size=8),
    st.sampled_from(["example.com", "[1.2.3.4]", "клиника.рф"]),
)


def shares(connection: Connection, text: str, name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(SHARED, [text, name])
        [(shared,)] = cursor.fetchall()
    return bool(shared)


@given(st.uuids(), AROUND, AROUND)
@example(UUID("01234567-89ab-4cde-8f01-23456789abcd"), "01234567-0123-0123-0123-0123", "")  # two that overlap
@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_uuid_is_missed(undone: Connection, name: UUID, before: str, after: str) -> None:
    assert shares(undone, f"{before}{str(name).upper()}{after}", str(name))


@given(LOCAL, DOMAIN, AROUND, AROUND)
@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_address_is_missed_where_it_is_no_part_of_a_longer_one(
    undone: Connection, local: str, domain: str, before: str, after: str
) -> None:
    before = before.rstrip("0123456789abcdefABCDEF.+_-яЁ")
    assert shares(undone, f"{before}{local}@{domain} {after}", f"{local}@{domain}")


def test_a_message_is_given_up_however_long_its_words_are(undone: Connection) -> None:
    word = "".join(choices(ascii_letters + digits, k=50_000))
    with undone.cursor() as cursor:
        cursor.execute(
            "INSERT INTO dramatiq.queue (message_id, state, message) "
            "VALUES (gen_random_uuid(), 'rejected', jsonb_build_object('kwargs', %s::text))",
            [f"{word}@clinic.example"],
        )
    assert shares(undone, f"<{word}@clinic.example>", f"{word}@clinic.example")
