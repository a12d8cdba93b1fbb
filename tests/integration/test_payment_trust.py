"""A payment at the provider pays once, for what it was made; who else writes that something is paid is not believed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from actors.payments import verify_open_payments
from tests.clinic import Clinic
from tests.integration.payment_cases import deliver, payment_of
from tests.servers.yookassa import YooKassa

TOMORROW = datetime.now(UTC) + timedelta(days=1)
ANOTHERS = "its external_payment_id pays for another row"


@contextmanager
def visiting(clinic: Clinic) -> Iterator[None]:
    """What a signed-in visitor may write: rows of payments and appointments, with any values."""
    clinic.make_for_all("CREATE ROLE authenticated NOLOGIN")
    clinic.rows("GRANT SELECT, INSERT, UPDATE ON public.payments, public.appointments TO authenticated")
    for table in ("payments", "appointments"):
        clinic.rows(f"CREATE POLICY visitors ON public.{table} TO authenticated USING (true)")
    clinic.rows("SET ROLE authenticated")
    yield
    clinic.rows("RESET ROLE")


def test_a_payment_at_the_provider_pays_for_one_row_however_many_name_it(clinic: Clinic, shop: YooKassa) -> None:
    paid = shop.add_payment()
    package = clinic.value(
        "INSERT INTO public.packages (name, session_count, appointment_type_id, price) VALUES ('Десять', 10, %s, 5000) "
        "RETURNING id",
        clinic.type_id(),
    )
    user, another = clinic.add_user(), clinic.add_user("boris@example.com")
    with visiting(clinic):
        forged = [clinic.add_payment(user, {"package_id": package}, external_payment_id=paid) for _ in range(5)]
        booking = {"appointment_type_id": str(uuid4()), "scheduled_at": TOMORROW.isoformat()}
        stolen = clinic.add_payment(another, booking, external_payment_id=paid)
    clinic.rows(
        "UPDATE public.payments SET status = 'completed' WHERE external_payment_id = %s AND id <> %s", paid, stolen
    )
    for payment in (*forged, stolen):
        deliver(payment, "verify")
        deliver(payment, "update_status")
    assert clinic.rows("SELECT sessions_remaining FROM public.package_purchases") == [(10,)]
    assert sorted(clinic.flags(payment) for payment in forged) == [[], *[[ANOTHERS]] * 4]
    assert clinic.flags(stolen) == [ANOTHERS]
    assert clinic.payment_mails() == ["payment_confirmation"]
    assert len(shop.requests) == 1, "of what pays for another row nobody is asked"


def test_the_services_word_says_whose_a_payment_is(clinic: Clinic, shop: YooKassa) -> None:
    """The thief's row is older, and asked about first."""
    thief, payer, paid = clinic.add_user("thief@example.com"), clinic.add_user(), shop.add_payment()
    mine, theirs = clinic.book(payer, TOMORROW, "pending"), clinic.book(thief, TOMORROW, "pending")
    with visiting(clinic):
        stolen = clinic.add_payment(thief, {"appointment_id": theirs}, external_payment_id=paid)
    payment = clinic.add_payment(payer, {"appointment_id": mine}, external_payment_id=paid)
    for each in (stolen, payment):
        deliver(each, "verify")
    assert [clinic.appointment(each)[0] for each in (mine, theirs)] == ["confirmed", "pending"]
    assert clinic.flags(stolen) == [ANOTHERS]


@pytest.mark.parametrize("written", ["inserted", "updated", "by a function of the site's"])
def test_a_visitors_completion_is_believed_once_the_provider_says_the_same(
    clinic: Clinic, shop: YooKassa, written: str
) -> None:
    user, external_id = clinic.add_user(), shop.add_payment("pending")
    appointment = clinic.book(user, TOMORROW, "pending")
    made_for = {"appointment_id": appointment}
    clinic.rows(
        "CREATE FUNCTION public.finish(p uuid) RETURNS void LANGUAGE sql SECURITY DEFINER "
        "AS $$ UPDATE public.payments SET status = 'completed' WHERE id = p $$"
    )
    with visiting(clinic):
        status = "completed" if written == "inserted" else "pending"
        payment = clinic.add_payment(user, made_for, status=status, external_payment_id=external_id)
        if written == "updated":
            clinic.set_payment(payment, "completed")
        elif written != "inserted":
            clinic.rows("SELECT public.finish(%s)", payment)
        clinic.rows("UPDATE public.appointments SET payment_id = %s WHERE id = %s", payment, appointment)
    verify_open_payments("2026-11-20T10:05:00+00:00")
    asked = clinic.rows("SELECT message -> 'kwargs' ->> 'payment_id' FROM dramatiq.queue WHERE queue_name = 'payments'")
    assert asked == [(payment,)], "at once"
    for action in ("verify", "update_status"):
        deliver(payment, action)
    assert clinic.appointment(appointment)[0] == "pending"
    assert clinic.payment_mails() == []
    assert clinic.flags(payment) == ["the provider says pending, we have completed"]
    shop.payments[external_id]["status"] = "succeeded"
    for _ in range(2):
        deliver(payment, "verify")
    assert clinic.appointment(appointment) == ("confirmed", payment)
    assert clinic.payment_mails() == ["payment_confirmation"]


def test_money_without_a_provider_is_believed_from_the_service_alone(clinic: Clinic, shop: YooKassa) -> None:
    user = clinic.add_user()
    appointments = [clinic.book(user, TOMORROW + timedelta(hours=hour), "pending") for hour in range(4)]

    def cash(appointment: str, status: str = "pending") -> str:
        return clinic.add_payment(user, {"appointment_id": appointment}, status=status, payment_method="cash")

    with visiting(clinic):
        claimed = [cash(appointments[0], "completed"), cash(appointments[1])]
        clinic.set_payment(claimed[1], "completed")
        unknown = clinic.add_payment(user, {"appointment_id": appointments[2]}, status="completed")
        for payment, appointment in zip([*claimed, unknown], appointments, strict=False):
            clinic.rows("UPDATE public.appointments SET payment_id = %s WHERE id = %s", payment, appointment)
        taken = cash(appointments[3])
    clinic.set_payment(taken, "completed")
    verify_open_payments("2026-11-20T10:05:00+00:00")
    assert [clinic.appointment(each)[0] for each in appointments] == ["pending"] * 3 + ["confirmed"]
    said = ["completed as a visitor wrote it, and no provider can be asked"]
    assert [clinic.flags(payment) for payment in (*claimed, unknown, taken)] == [said, said, said, []]


@pytest.mark.parametrize("key", ["user_id", "appointment_id", "package_id", "scheduled_at"])
def test_what_was_paid_for_something_else_gives_nothing_whoever_completes_it(
    clinic: Clinic, shop: YooKassa, key: str
) -> None:
    user = clinic.add_user()
    appointment = clinic.book(user, TOMORROW, "pending")
    other = TOMORROW.isoformat() if key == "scheduled_at" else str(uuid4())
    told = {"user_id": user.upper(), "appointment_id": appointment, key: other}
    payment = clinic.add_payment(
        user, {"appointment_id": appointment}, external_payment_id=shop.add_payment(metadata=told)
    )
    deliver(payment, "verify")
    clinic.set_payment(payment, "completed")
    assert clinic.appointment(appointment) == ("pending", None)
    assert clinic.flags(payment) == [f"the provider made it for another {key}"]


def test_the_services_webhook_completes_what_the_service_wrote_alone(clinic: Clinic, shop: YooKassa) -> None:
    """It finds rows by the provider's id; a visitor has changed one since the checkout, and written another."""
    user, thief = clinic.add_user(), clinic.add_user("thief@example.com")
    small, big = (
        clinic.value(
            "INSERT INTO public.packages (name, session_count, appointment_type_id, price) VALUES ('', %s, %s, %s) "
            "RETURNING id",
            *(sessions, clinic.type_id(), price),
        )
        for sessions, price in ((1, 5000), (50, 50_000))
    )
    appointments = [clinic.book(each, TOMORROW, "pending") for each in (thief, user)]
    bought, shared = (shop.add_payment(metadata=told) for told in ({"package_id": small}, {"user_id": user}))
    changed = clinic.add_payment(user, {"package_id": small}, external_payment_id=bought)
    with visiting(clinic):
        clinic.rows(
            "UPDATE public.payments SET amount = 50000, payment_method = 'cash', metadata = %s WHERE id = %s",
            *(json.dumps({"package_id": big}), changed),
        )
        clinic.rows("UPDATE public.payments SET payment_method = 'yookassa' WHERE id = %s", changed)
        stolen, paid = (
            clinic.add_payment(owner, {"appointment_id": appointment}, external_payment_id=shared)
            for owner, appointment in zip((thief, user), appointments, strict=True)
        )
        clinic.set_payment(stolen, "failed", "pending")
    clinic.rows("UPDATE public.payments SET status = 'completed' WHERE status = 'pending'")
    assert clinic.payment_mails() == ["payment_failed"], "nothing more before the provider was asked"
    for payment in (changed, stolen, paid):
        deliver(payment, "verify")
    assert clinic.rows("SELECT FROM public.package_purchases") == []
    assert [clinic.appointment(each)[0] for each in appointments] == ["pending", "confirmed"]
    assert clinic.flags(changed) == ["the provider made it for another package_id"]


def test_what_nobody_can_be_asked_about_is_left_to_a_person(
    clinic: Clinic, shop: YooKassa, environment: pytest.MonkeyPatch
) -> None:
    user = clinic.add_user()
    appointment = clinic.book(user, TOMORROW, "pending")
    with visiting(clinic):
        payment = clinic.add_payment(user, {"appointment_id": appointment}, external_payment_id=shop.add_payment())
        clinic.set_payment(payment, "completed")
    for name in ("YOOKASSA_SHOP_ID", "YOOKASSA_SECRET_KEY"):
        environment.setenv(name, "")
    verify_open_payments("2026-11-20T10:05:00+00:00")
    deliver(payment, "update_status")
    assert clinic.flags(payment) == ["completed as a visitor wrote it, and no provider has said so"]
    assert clinic.appointment(appointment)[0] == "pending"
    clinic.rows("UPDATE balansity.payment_flag SET resolved_at = now()")
    deliver(payment, "update_status")
    assert clinic.appointment(appointment)[0] == "confirmed"


def test_a_link_that_a_visitor_made_is_no_price(clinic: Clinic, shop: YooKassa) -> None:
    user, paid = clinic.add_user(), shop.add_payment()
    shop.payments[paid]["amount"]["value"] = "500.00"
    appointment = clinic.book(user, TOMORROW, "pending")
    payment = clinic.add_payment(user, {"package_id": str(uuid4())}, amount="500.00", external_payment_id=paid)
    with visiting(clinic):
        clinic.rows("UPDATE public.appointments SET payment_id = %s WHERE id = %s", payment, appointment)
    deliver(payment, "verify")
    assert clinic.appointment(appointment)[0] == "pending"
    assert clinic.flags(payment) == ["paid 500.00, but what metadata names costs 5000.00"]


def test_one_payment_confirms_one_consultation(clinic: Clinic) -> None:
    user = clinic.add_user()
    first, second = (clinic.book(user, TOMORROW + timedelta(hours=hour), "pending") for hour in range(2))
    payment = clinic.add_payment(user, {"appointment_id": first})
    clinic.set_payment(payment, "completed")
    with visiting(clinic):
        clinic.rows("UPDATE public.appointments SET payment_id = NULL WHERE id = %s", first)
        clinic.rows("UPDATE public.appointments SET payment_id = %s WHERE id = %s", payment, second)
    verify_open_payments("2026-11-20T10:05:00+00:00")
    assert [clinic.appointment(each)[0] for each in (first, second)] == ["confirmed", "pending"]
    assert clinic.flags(payment) == [f"appointment {second} is not what was paid for"]


def test_what_was_paid_before_ours_began_pays_for_nothing_more(clinic: Clinic, shop: YooKassa) -> None:
    paid = shop.add_payment()
    clinic.rows("ALTER TABLE public.payments DISABLE TRIGGER USER")
    before = payment_of(clinic, paid, "completed")
    clinic.rows("ALTER TABLE public.payments ENABLE TRIGGER USER")
    clinic.rows("SELECT balansity.note_paid()")
    again = payment_of(clinic, paid)
    deliver(again, "verify")
    assert (clinic.flags(before), clinic.flags(again)) == ([], [ANOTHERS])
    assert shop.requests == []
