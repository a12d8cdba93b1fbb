"""The judge of who is dead: only a count that stood still over a full silence of fast beats condemns."""

from messaging.judge import Judge

SILENCE = 12.0


def beats(judge: Judge[int], times: range, counts: dict[int, int], took: float = 0.0) -> dict[int, int]:
    dead: dict[int, int] = {}
    for at in times:
        judge.beat(at, at + took, silence=SILENCE)
        dead = judge.dead(counts, at + took, at + took, silence=SILENCE)
    return dead


def test_a_count_that_stands_still_over_a_silence_of_fast_beats_is_a_death() -> None:
    judge: Judge[int] = Judge()
    assert beats(judge, range(0, 9, 4), {1: 7}) == {}
    assert beats(judge, range(12, 13), {1: 7, 2: 1}) == {1: 7}


def test_a_count_that_moved_either_way_is_a_life() -> None:
    judge: Judge[int] = Judge()
    beats(judge, range(0, 9, 4), {1: 7, 2: 7})
    assert beats(judge, range(12, 21, 4), {1: 8, 2: 6}) == {}


def test_a_slow_beat_and_a_late_one_begin_the_silence_anew() -> None:
    for stall in ({"times": range(12, 13), "took": 3.0}, {"times": range(30, 31)}):
        judge: Judge[int] = Judge()
        beats(judge, range(0, 9, 4), {1: 7})
        assert beats(judge, counts={1: 7}, **stall) == {}
        last = int(judge.beaten_at)
        assert beats(judge, range(last + 4, last + 9, 4), {1: 7}) == {}
        assert beats(judge, range(last + 12, last + 13), {1: 7}) == {1: 7}
