"""A login may be tried a few times at once, then after pauses that double; strangers lock nobody out for long."""

import pytest

from web.throttle import ALL_SOURCES, KEPT_SECONDS, KNOWN_SECONDS, MOST_SOURCES, ONE_SOURCE, Throttle, source_of


def guess(throttle: Throttle, source: str, now: float) -> float:
    return throttle.pause(source, right=False, now=now)


def test_pauses_of_a_source_double_and_even_the_right_word_waits() -> None:
    throttle, now, pauses = Throttle(), 1000.0, []
    for _ in range(ONE_SOURCE.free):
        assert guess(throttle, "a", now) == 0
    for _ in range(12):
        pauses.append(throttle.pause("a", right=True, now=now))
        now += pauses[-1]
        assert guess(throttle, "a", now) == 0
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    assert guess(throttle, "b", now) == 0


def test_a_source_begins_anew_with_the_right_word_or_after_an_hour() -> None:
    throttle = Throttle()
    for _ in range(ONE_SOURCE.free):
        guess(throttle, "a", 0)
        guess(throttle, "b", 0)
    assert throttle.pause("a", right=True, now=2) == 0
    assert [guess(throttle, "a", 2) for _ in range(ONE_SOURCE.free)] == [0] * ONE_SOURCE.free
    assert guess(throttle, "b", 2) == 0
    assert [guess(throttle, "b", KEPT_SECONDS + 3) for _ in range(ONE_SOURCE.free)] == [0] * ONE_SOURCE.free


def test_guesses_from_everywhere_wait_together_but_not_who_was_right_before() -> None:
    throttle = Throttle()
    throttle.pause("staff", right=True, now=0)
    tried = sum(guess(throttle, f"guesser {number}", now=1) == 0 for number in range(1000))
    assert tried == ALL_SOURCES.free
    assert guess(throttle, "yet another", now=1) > 0
    assert throttle.pause("staff", right=True, now=1) == 0
    assert throttle.pause("new staff", right=True, now=1 + ALL_SOURCES.longest_seconds) == 0
    assert guess(throttle, "staff", now=KNOWN_SECONDS) == 0


def test_it_remembers_no_more_than_it_may() -> None:
    throttle = Throttle()
    for number in range(MOST_SOURCES + 10):
        guess(throttle, str(number), now=number * 60.0)
    assert len(throttle.sources) <= MOST_SOURCES


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
        (None, ""),
    ],
)
def test_a_household_is_one_source(address: str | None, source: str) -> None:
    assert source_of(address) == source
