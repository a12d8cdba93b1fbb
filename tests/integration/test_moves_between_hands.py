"""A consultation that is moved while the old system is in charge, which tells nobody of it: the next mail does."""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

import settings
from domain.russian import day_and_time
from mail.delivery import deliver
from mail.order import read_order
from tests.live.database import LiveDatabase
from tests.live.shell import balansity, pointed_at
from tests.reading import plain

MOVE = "UPDATE public.appointments SET scheduled_at = scheduled_at + interval '1 day' WHERE id = %s"
ORDERS = """
    SELECT msg_id, message, message ->> 'key' FROM pgmq.q_email_queue
    WHERE message #>> '{variables,appointment_id}' = %s ORDER BY msg_id
"""


@pytest.mark.parametrize("is_latest_first", [False, True])
@pytest.mark.parametrize(
    "moves", [[False], [True, False], [True, True, False], [False, True], [True, True], [False, False]]
)
def test_one_mail_names_the_present_time(
    live_database: LiveDatabase,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    moves: list[bool],
    is_latest_first: bool,
) -> None:
    """Booked while ours is in charge, then moved by turns under ours (true) and under the old system (false)."""
    with pointed_at(live_database.url), live_database.owner() as owner:
        monkeypatch.setenv("EMAIL_OUTBOX_DIR", str(tmp_path))
        settings.current.cache_clear()
        balansity("migrate")
        balansity("take-over")
        at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
        appointment = live_database.site.book(live_database.site.sign_up("anna@example.com"), at)
        is_ours = True
        for ours in moves:
            hand_over(is_ours, ours)
            owner.rows(MOVE, appointment)
            is_ours = ours
        hand_over(is_ours, True)
        orders = sorted(owner.rows(ORDERS, appointment), reverse=is_latest_first)
        for number, message, key in orders:
            deliver(read_order(message), str(uuid4()), key or f"pgmq:email_queue:{number}")
    present = plain(day_and_time(at + timedelta(days=len(moves)), ZoneInfo("Europe/Moscow")))
    told = [mail for mail in mails(tmp_path) if present in mail]
    assert told == mails(tmp_path)
    assert len(told) == 1


def hand_over(was_ours: bool, is_ours: bool) -> None:
    if was_ours and not is_ours:
        balansity("take-over", "--undo")
    if is_ours and not was_ours:
        balansity("take-over")


def mails(folder: Path) -> list[str]:
    read = (message_from_bytes(path.read_bytes(), policy=policy.default) for path in folder.glob("*.eml"))
    return [plain(mail.get_body(("plain",)).get_content()) for mail in read]  # type: ignore[union-attr]
