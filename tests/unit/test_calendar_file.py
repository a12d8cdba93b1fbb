"""The calendar file keeps one entry a consultation, through moves and cancellation."""

from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from typing import Any
from unicodedata import category
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from icalendar import Calendar

from mail.calendar_file import calendar_file
from mail.facts import AppointmentFacts

CLINIC = Address("Balansity", addr_spec="no-reply@balansity.example")
BOOKED = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
APPOINTMENT = AppointmentFacts(
    id=UUID(int=7),
    status="scheduled",
    scheduled_at=datetime(2026, 11, 25, 7, 35, tzinfo=UTC),
    created_at=BOOKED,
    read_at=BOOKED,
    type_name="Детский психолог",
    price=None,
    duration_minutes=45,
    time_zone="Europe/Moscow",
    video_room_url="https://video.balansity.example/r",
    reader="Анна",
    patient="Миша",
)


def entry(at: datetime, **changes: Any) -> tuple[Any, Any]:
    file = calendar_file(APPOINTMENT.model_copy(update={"read_at": at, **changes}), CLINIC, "Anna+b@example.com")
    calendar = Calendar.from_ical(file.content)
    (event,) = calendar.walk("VEVENT")
    return calendar, event


def test_the_entry_says_what_when_and_where() -> None:
    calendar, event = entry(BOOKED)
    assert calendar["method"] == "REQUEST"
    assert event.start == APPOINTMENT.scheduled_at
    assert event.end - event.start == timedelta(minutes=45)
    assert (event["summary"], event["description"]) == ("Консультация Balansity", "Детский психолог")
    assert event["url"] == "https://video.balansity.example/r"


@pytest.mark.parametrize("status", ["scheduled", "pending", "cancelled"])
def test_it_is_an_invitation_from_the_sender_to_the_reader_which_asks_for_no_answer(status: str) -> None:
    calendar, event = entry(BOOKED, status=status)
    assert calendar["method"] == ("CANCEL" if status == "cancelled" else "REQUEST")
    assert (event["organizer"], event["attendee"]) == (f"mailto:{CLINIC.addr_spec}", "mailto:Anna+b@example.com")
    assert event["attendee"].params["partstat"] == "ACCEPTED"
    assert event["attendee"].params["rsvp"] == "FALSE"
    required = {
        "uid",
        "dtstamp",
        "dtstart",
        "sequence",
        "summary",
        "organizer",
        "attendee",
    }  # RFC 5546, 3.2.2 and 3.2.5
    assert required <= {name.lower() for name in event}


def test_a_moved_consultation_updates_the_same_entry() -> None:
    _, first = entry(BOOKED)
    _, moved = entry(BOOKED + timedelta(hours=1), scheduled_at=APPOINTMENT.scheduled_at + timedelta(days=1))
    assert moved["uid"] == first["uid"]
    assert moved["sequence"] > first["sequence"]
    assert moved.start - first.start == timedelta(days=1)


def test_a_cancelled_consultation_takes_its_entry_away() -> None:
    calendar, event = entry(BOOKED + timedelta(hours=1), status="cancelled")
    assert (calendar["method"], event["status"]) == ("CANCEL", "CANCELLED")
    assert not event.walk("VALARM")


def test_a_link_that_is_no_web_address_is_left_out() -> None:
    _, event = entry(BOOKED, video_room_url="javascript:alert(1)")
    assert "url" not in event


def content_lines(**changes: Any) -> list[str]:
    """The file's lines, unfolded; each is a name, parameters and a value, and no line is longer than it may be."""
    facts = AppointmentFacts.model_validate(APPOINTMENT.model_dump() | changes)
    text = calendar_file(facts, CLINIC, "anna@example.com").content.decode()
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    unfolded = text.replace("\r\n ", "")
    assert not any(category(character) in {"Cc", "Zl", "Zp"} for character in unfolded.replace("\r\n", ""))
    return unfolded.removesuffix("\r\n").split("\r\n")


@given(st.text(max_size=120), st.text(max_size=120).map("https://video.balansity.example/".__add__))
@example("Психолог\r\nATTACH:https://evil.example", "https://balansity.example/r\r\nATTACH:https://evil.example/x")
@example("Психолог; детский, \\ 50\u2028минут", " https://balansity.example/room?a=1,2;3&x=1\n")
@example("ъ" * 120, "https://balansity.example/" + "r" * 110)
def test_no_words_and_no_address_add_a_line(type_name: str, url: str) -> None:
    names = [line.partition(":")[0] for line in content_lines()]
    found = [line.partition(":")[0] for line in content_lines(type_name=type_name, video_room_url=url)]
    assert [name for name in found if name not in {"URL", "LOCATION"}] == [
        name for name in names if name not in {"URL", "LOCATION"}
    ]
