"""A message of the analytics queue is read for what it tells, or refused by name."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.analytics import read_event
from errors import InvalidMessage

SENT_AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


def read(payload: dict[str, Any]) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(read_event(payload, "message:1", SENT_AT))
    return event


def test_an_event_happened_when_it_says_so_and_else_when_it_was_sent() -> None:
    times = {"occurred_at": "2026-11-01T00:00Z", "completed_at": "2026-11-02T00:00Z", "created_at": "2026-11-03T00:00Z"}
    for name, value in times.items():
        assert read({"type": "t", name: value})["occurred_at"] == datetime.fromisoformat(value).isoformat()
    assert read({"type": "t", **times})["occurred_at"].startswith("2026-11-01")
    assert read({"type": "t", "completed_at": None})["occurred_at"] == SENT_AT.isoformat()


def test_an_event_keeps_unknown_facts_and_its_own_key() -> None:
    event = read({"type": "booked", "key": "appointment:1", "colour": "green"})
    assert event["facts"]["colour"] == "green"
    assert event["key"] == "appointment:1"
    assert read({"type": "booked"})["key"] == "message:1"


def test_optional_keys_that_cannot_be_read_count_as_missing() -> None:
    event = read({"type": "t", "key": 17, "user_id": "guest", "created_at": "yesterday", "occurred_at": "0001-01-01"})
    assert (event["key"], event["user_id"], event["occurred_at"]) == ("message:1", None, SENT_AT.isoformat())
    assert read({"type": "t", "key": ""})["key"] == "message:1"


def nested(depth: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


@pytest.mark.parametrize(
    ("payload", "named"),
    [
        ({}, "type"),
        ({"type": 3}, "type"),
        ({"type": "t", "x": float("inf")}, "number"),
        ({"type": "t", "x": nested(100_000)}, "nested too deeply"),
    ],
)
def test_a_wrong_shape_is_named(payload: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidMessage, match=named):
        read(payload)
