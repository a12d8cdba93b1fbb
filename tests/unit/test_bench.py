"""The benchmark's own instruments: what it counts, and how it judges."""

import threading
from pathlib import Path

import pytest

from bench import picture, probe, report
from bench.measures import Result
from bench.race import Race, Standing

MACHINE = {"cores": 2, "load": (0.0, 0.0, 0.0), "sync_ms": 1.0, "python": "3.11", "rounds": 2, "at": "2026-11-23"}


def race(**rates: list[float]) -> Race:
    standings = {
        ("drain", name.replace("_", "-")): Standing("drain", name.replace("_", "-"), [Result(rate) for rate in runs])
        for name, runs in rates.items()
    }
    return Race(MACHINE, standings)


def test_the_probe_counts_what_every_thread_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_PROBE", str(tmp_path))

    def work() -> None:
        for _ in range(1000):
            probe.touch()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = probe.seen(tmp_path)
    assert seen.messages == 8000
    assert seen.began <= seen.latest


def test_the_median_of_the_rounds_counts() -> None:
    assert race(ours=[1.0, 300.0, 200.0]).value("drain", "ours") == 200


def test_a_target_is_met_or_missed() -> None:
    reached = {text: met for text, _, met in report.reached(race(ours=[3000], rabbitmq=[1000], redis=[2000]))}
    assert reached == {"drain, of RabbitMQ's ≥ 2 ×": True, "drain, of Redis's ≥ 2 ×": False}


def test_the_picture_shows_every_contestant_and_the_one_without_a_result() -> None:
    svg = picture.draw(race(ours=[3000], redis=[]))
    assert "Balansity" in svg
    assert "3,000" in svg
    assert "Dramatiq over Redis" in svg
    assert "no result" in svg
