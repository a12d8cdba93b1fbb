"""The calendar file of a consultation: one entry a consultation, which every later mail that changes it updates.

An invitation (iTIP, RFC 5546): what is only published no calendar moves or takes away by itself. Its UID and ORGANIZER
stay, its SEQUENCE grows, its ATTENDEE is the address that the mail goes to, by which a calendar knows that it is meant.
"""

from datetime import timedelta
from email.headerregistry import Address
from urllib.parse import quote

from icalendar import Alarm, Calendar, Event, vCalAddress

from gateways.mail.envelope import Attachment
from mail.facts import AppointmentFacts

IN_ADDRESSES = "@!#$&'*+-./=?^_`{|}~"
LARGEST_INTEGER = 2**31 - 1  # RFC 5545, 3.3.8


def calendar_file(appointment: AppointmentFacts, organizer: Address, attendee: str) -> Attachment:
    """The entry as it stood when it was read; a cancelled consultation takes its entry away again.

    Calendars keep the version with the highest SEQUENCE of a UID: the seconds since the booking always grow.
    """
    cancelled = appointment.status == "cancelled"
    method = "CANCEL" if cancelled else "REQUEST"
    calendar = Calendar()
    calendar.add("prodid", "-//Balansity//Consultations//RU")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    event = _event(appointment, organizer, cancelled=cancelled)
    event.add("attendee", _attendee(attendee))
    calendar.add_component(event)
    return Attachment("consultation.ics", f"text/calendar; charset=utf-8; method={method}", calendar.to_ical())


def _event(appointment: AppointmentFacts, organizer: Address, *, cancelled: bool) -> Event:
    event = Event()
    event.add("uid", f"{appointment.id}@{organizer.domain}")
    event.add("sequence", _sequence(appointment))
    event.add("dtstamp", appointment.read_at)
    event.add("dtstart", appointment.scheduled_at)
    event.add("dtend", appointment.scheduled_at + timedelta(minutes=appointment.duration_minutes))
    event.add("summary", "Консультация Balansity")  # calendars are shared at work and at home: no more in the title
    event.add("description", appointment.type_name)
    event.add("status", "CANCELLED" if cancelled else "CONFIRMED" if appointment.status != "pending" else "TENTATIVE")
    event.add(
        "organizer", vCalAddress(f"mailto:{organizer.addr_spec}", params={"CN": organizer.display_name or "Balansity"})
    )
    if appointment.link:
        event.add("url", appointment.link)
        event.add("location", appointment.link)
    if not cancelled:
        event.add_component(_alarm())
    return event


def _attendee(address: str) -> vCalAddress:
    """Who has booked has accepted, and is asked for no answer: nobody would read it."""
    said = {"CUTYPE": "INDIVIDUAL", "ROLE": "REQ-PARTICIPANT", "PARTSTAT": "ACCEPTED", "RSVP": "FALSE"}
    return vCalAddress(f"mailto:{quote(address, safe=IN_ADDRESSES)}", params=said)


def _sequence(appointment: AppointmentFacts) -> int:
    seconds = (appointment.read_at - appointment.created_at).total_seconds()
    return min(max(0, int(seconds)), LARGEST_INTEGER)


def _alarm() -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", "Консультация начинается через 15 минут")
    alarm.add("trigger", timedelta(minutes=-15))
    return alarm
