"""A payment that cannot buy what it names stands, buys nothing and is flagged with the reason, for a person."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.clinic import Clinic

pytestmark = pytest.mark.undone
TOMORROW = datetime.now(UTC) + timedelta(days=1)


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"appointment_id": "not a uuid"}, "is no uuid"),
        ({"appointment_id": {"nested": 1}}, "is no uuid"),
        ({"appointment_id": str(uuid4())}, "is missing"),
        ({"package_id": "anna@example.com"}, "metadata.package_id is no package"),
        ({"appointment_type_id": "x", "scheduled_at": "2030-01-01T10:00:00Z"}, "describes no appointment"),
        ({"appointment_type_id": str(uuid4()), "scheduled_at": "2030-01-01T10:00:00Z"}, "foreign key"),
        ({"appointment_type_id": str(uuid4()), "scheduled_at": "2030-01-01T10:00:00"}, "describes no appointment"),
        ({"appointment_type_id": str(uuid4()), "scheduled_at": "2030-02-31T10:00:00Z"}, "describes no appointment"),
        ({"appointment_type_id": str(uuid4()), "scheduled_at": "infinity"}, "describes no appointment"),
        ({"appointment_type_id": str(uuid4()), "scheduled_at": "2020-01-01T10:00:00Z"}, "had passed"),
    ],
)
def test_what_cannot_be_given_is_flagged_and_the_payment_stands(
    clinic: Clinic, user: str, metadata: Any, reason: str
) -> None:
    payment = clinic.add_payment(user, metadata)
    clinic.set_payment(payment, "completed")
    [flag] = clinic.flags(payment)
    assert reason in flag
    assert clinic.payment_mails() == ["payment_confirmation"]


def test_less_than_the_price_buys_nothing_and_is_flagged(clinic: Clinic, user: str) -> None:
    package = str(clinic.value("INSERT INTO packages (name, session_count, price) VALUES ('5', 5, 5000) RETURNING id"))
    described = {"appointment_type_id": clinic.type_id(), "scheduled_at": TOMORROW.isoformat()}
    for metadata in (described, {"package_id": package}):
        payment = clinic.add_payment(user, metadata, amount="4999.99")
        clinic.set_payment(payment, "completed")
        assert clinic.flags(payment) == ["paid 4999.99, but what metadata names costs 5000.00"]
    assert clinic.rows("SELECT FROM appointments") == clinic.rows("SELECT FROM package_purchases") == []


def test_less_than_the_price_confirms_nothing_that_metadata_names_and_is_flagged(clinic: Clinic, user: str) -> None:
    appointment = clinic.book(user, TOMORROW, "pending")
    payment = clinic.add_payment(user, {"appointment_id": appointment}, amount="4999.99")
    clinic.set_payment(payment, "completed")
    clinic.rows("SELECT balansity.confirm_paid_appointments(now(), ARRAY(SELECT id FROM public.payments))")
    assert clinic.appointment(appointment) == ("pending", None)
    assert clinic.flags(payment) == ["paid 4999.99, but what metadata names costs 5000.00"]


def test_less_than_the_price_confirms_what_the_site_itself_linked(clinic: Clinic, user: str) -> None:
    payment = clinic.add_payment(user, amount="4500")
    appointment = clinic.book(user, TOMORROW, "pending", payment_id=payment)
    clinic.set_payment(payment, "completed")
    assert clinic.appointment(appointment) == ("confirmed", payment)
    assert clinic.flags(payment) == []


def test_another_currency_buys_and_confirms_nothing_and_is_flagged(clinic: Clinic, user: str) -> None:
    package = str(clinic.value("INSERT INTO packages (name, session_count, price) VALUES ('5', 5, 5000) RETURNING id"))
    named = clinic.book(user, TOMORROW, "pending")
    for metadata in (
        {"appointment_id": named},
        {"appointment_type_id": clinic.type_id(), "scheduled_at": TOMORROW.isoformat()},
        {"package_id": package},
    ):
        payment = clinic.add_payment(user, metadata, currency="UZS")
        clinic.set_payment(payment, "completed")
        assert clinic.flags(payment) == ["paid in UZS, but prices are in RUB"]
    assert clinic.rows("SELECT status FROM appointments") == [("pending",)]
    assert clinic.rows("SELECT FROM package_purchases") == []


def test_another_currency_does_not_confirm_what_is_linked_before_or_after(clinic: Clinic, user: str) -> None:
    payments = [clinic.add_payment(user, currency="UZS") for _ in range(2)]
    before = clinic.book(user, TOMORROW, "pending", payment_id=payments[0])
    for payment in payments:
        clinic.set_payment(payment, "completed")
    after = clinic.book(user, TOMORROW, "pending", payment_id=payments[1])
    assert clinic.value("SELECT balansity.confirm_paid_appointments(now(), ARRAY(SELECT id FROM public.payments))") == 0
    assert [clinic.appointment(each)[0] for each in (before, after)] == ["pending", "pending"]
    assert [clinic.flags(payment) for payment in payments] == [["paid in UZS, but prices are in RUB"]] * 2


def test_more_than_the_price_buys_what_is_described(clinic: Clinic, user: str) -> None:
    described = {"appointment_type_id": clinic.type_id(), "scheduled_at": TOMORROW.isoformat()}
    payment = clinic.add_payment(user, described, amount="5000.01")
    clinic.set_payment(payment, "completed")
    assert (clinic.flags(payment), clinic.value("SELECT count(*) FROM appointments")) == ([], 1)


def test_a_consultation_is_booked_for_the_payers_own_family_alone(clinic: Clinic, user: str) -> None:
    described = {"appointment_type_id": clinic.type_id(), "scheduled_at": TOMORROW.isoformat()}
    insert = "INSERT INTO profiles (user_id, type, first_name) VALUES (%s, 'child', 'Миша') RETURNING id::text"
    theirs, ours = (clinic.value(insert, owner) for owner in (clinic.add_user("boris@example.com"), user))
    for profile, booked in ((theirs, []), (ours, [(ours,)])):
        payment = clinic.add_payment(user, described | {"profile_id": profile})
        clinic.set_payment(payment, "completed")
        assert [flag.endswith("is no profile of the payer") for flag in clinic.flags(payment)] == [True] * (not booked)
        assert clinic.rows("SELECT profile_id::text FROM appointments") == booked


@pytest.mark.parametrize("metadata", [None, [], "text", 7, {}, {"appointment_id": None}])
def test_metadata_that_names_nothing_is_nothing_to_flag(clinic: Clinic, user: str, metadata: Any) -> None:
    payment = clinic.add_payment(user, metadata)
    clinic.set_payment(payment, "completed")
    assert clinic.flags(payment) == []
    assert clinic.payment_mails() == ["payment_confirmation"]


def test_another_users_consultation_is_not_confirmed(clinic: Clinic, user: str) -> None:
    appointment = clinic.book(clinic.add_user("boris@example.com"), TOMORROW, "pending")
    payment = clinic.add_payment(user, {"appointment_id": appointment})
    clinic.set_payment(payment, "completed")
    assert clinic.appointment(appointment) == ("pending", None)
    assert "belongs to another user" in clinic.flags(payment)[0]


def test_paying_for_a_cancelled_consultation_is_flagged(clinic: Clinic, user: str) -> None:
    appointment = clinic.book(user, TOMORROW, "cancelled")
    payment = clinic.add_payment(user, {"appointment_id": appointment})
    clinic.set_payment(payment, "completed")
    assert clinic.appointment(appointment) == ("cancelled", payment)
    assert "is cancelled" in clinic.flags(payment)[0]


@pytest.mark.parametrize(
    ("old", "new"), [("refunded", "completed"), ("cancelled", "completed"), ("completed", "failed")]
)
def test_a_change_that_cannot_be_is_flagged_and_has_no_effect(clinic: Clinic, user: str, old: str, new: str) -> None:
    payment = clinic.add_payment(user, status=old)
    clinic.set_payment(payment, new)
    assert clinic.flags(payment) == [f"unexpected change: {old} → {new}"]
    assert clinic.payment_mails() == []


def test_nothing_takes_effect_after_such_a_change_before_a_person_has_decided(clinic: Clinic, user: str) -> None:
    paid = clinic.add_payment(user, status="completed")
    refunded = clinic.add_payment(user, status="refunded")
    appointment = clinic.book(user, TOMORROW, "pending", payment_id=refunded)
    clinic.set_payment(paid, "pending", "failed")
    clinic.set_payment(refunded, "completed")
    clinic.rows("SELECT balansity.confirm_paid_appointments(now(), ARRAY(SELECT id FROM public.payments))")
    for payment in (paid, refunded):
        clinic.rows("SELECT balansity.settle_payment(%s, now())", payment)
    assert (clinic.payment_mails(), clinic.events()) == ([], [])
    assert clinic.appointment(appointment)[0] == "pending"
    clinic.rows("UPDATE balansity.payment_flag SET resolved_at = now()")
    clinic.rows("SELECT balansity.settle_payment(%s, now())", refunded)
    assert clinic.payment_mails() == ["payment_confirmation"]
    assert clinic.appointment(appointment)[0] == "confirmed"


def test_what_a_person_has_resolved_is_not_flagged_again_by_a_replay(clinic: Clinic, user: str) -> None:
    payment = clinic.add_payment(user, {"appointment_id": str(uuid4())})
    clinic.set_payment(payment, "completed")
    clinic.rows("UPDATE balansity.payment_flag SET resolved_at = now()")
    clinic.rows("SELECT balansity.settle_payment(%s, now())", payment)
    assert clinic.rows("SELECT FROM balansity.payment_flag WHERE resolved_at IS NULL") == []


def test_a_value_that_does_not_fit_is_not_quoted(clinic: Clinic, user: str) -> None:
    clinic.rows("ALTER TABLE public.appointments ADD COLUMN secret integer")
    clinic.rows(
        "CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.secret := (SELECT email FROM public.users WHERE id = NEW.user_id)::integer; RETURN NEW; END $$"
    )
    clinic.rows("CREATE TRIGGER odd BEFORE INSERT ON public.appointments FOR EACH ROW EXECUTE FUNCTION odd()")
    payment = clinic.add_payment(user, {"appointment_type_id": clinic.type_id(), "scheduled_at": TOMORROW.isoformat()})
    clinic.set_payment(payment, "completed")
    assert clinic.flags(payment) == ["a value does not fit: 22P02"]


def test_a_described_time_that_is_taken_is_flagged(clinic: Clinic, user: str) -> None:
    clinic.rows("CREATE UNIQUE INDEX one_at_a_time ON public.appointments (appointment_type_id, scheduled_at)")
    clinic.book(user, TOMORROW)
    payment = clinic.add_payment(user, {"appointment_type_id": clinic.type_id(), "scheduled_at": TOMORROW.isoformat()})
    clinic.set_payment(payment, "completed")
    assert clinic.flags(payment) == ["the time that metadata describes is taken"]
