"""What a report says: the facts of one assessment, ready for any format."""

import unicodedata
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from babel.dates import format_date
from babel.units import format_unit

from reports.scoring import Score, Status

LONGEST_NAME = 120  # characters


@dataclass(frozen=True)
class Contact:
    """Where a family books a consultation, and whom it calls; an empty telephone is none."""

    book_at: str
    phone: str


@dataclass(frozen=True)
class Report:
    """One assessment's results; names and `birthday` are None where nobody gave them."""

    assessment_id: UUID
    assessment_type: str  # checkup, parent or family
    person: str | None  # whom it is about
    birthday: date | None
    answered_on: date
    scores: tuple[Score, ...]
    reader: str | None = None  # whom it is for, where that is somebody else
    contact: Contact | None = None

    @property
    def main_scores(self) -> tuple[Score, ...]:
        return tuple(score for score in self.scores if not score.scale.is_impact)

    @property
    def impact_scores(self) -> tuple[Score, ...]:
        return tuple(score for score in self.scores if score.scale.is_impact)

    @property
    def is_empty(self) -> bool:
        return all(score.points is None and not score.is_sites for score in self.scores)

    @property
    def is_incomplete(self) -> bool:
        return any((score.points is None and not score.is_sites) or score.is_partial for score in self.scores)

    def with_status(self, status: Status) -> tuple[Score, ...]:
        return tuple(score for score in self.scores if score.status is status)

    @property
    def age(self) -> int | None:
        """Whole years on the day of the answers."""
        if self.birthday is None or self.birthday > self.answered_on:
            return None
        had_birthday = (self.answered_on.month, self.answered_on.day) >= (self.birthday.month, self.birthday.day)
        return self.answered_on.year - self.birthday.year - (not had_birthday)


def full_name(first: str | None, last: str | None) -> str | None:
    """Both names in one line, cut where nobody's is longer; None where there is nothing to show."""
    letters = f"{first or ''} {last or ''}".encode("utf-8", "ignore").decode()  # halves of a UTF-16 pair are none
    name = " ".join(unicodedata.normalize("NFC", letters).split())
    return (name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1].rstrip() + "…") or None


def years(age: int) -> str:
    """`age` in words that go with the number: 1 год, 3 года, 11 лет."""
    return format_unit(age, "duration-year", locale="ru")


def day_in_words(day: date) -> str:
    return format_date(day, "d MMMM y 'года'", locale="ru")
