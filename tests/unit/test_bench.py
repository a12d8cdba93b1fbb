"""The benchmark's own instruments: what it counts, and how it judges."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import contestants, cost, course, environments, history, picture, players, probe, report, rounds, trend
from bench.cost import Cost, Spent
from bench.course import Course
from bench.measures import Result
from bench.race import Race, Standing
from cli import main

MACHINE = {
    "cpu": "EPYC",
    "cores": 2,
    "load": (0.0, 0.0, 0.0),
    "sync_ms": 1.0,
    "python": "3.11",
    "rounds": 2,
    "at": "2026-11-23",
}
BURN = """
import subprocess, sys
subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 0.3: pass"])
print("burnt", flush=True)
sys.stdin.read()
"""


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


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Debian's package nodejs")
def test_a_drain_begins_with_its_first_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "START_SECONDS", 0)
    (tmp_path / "workers.log").write_text("still importing")
    with pytest.raises(RuntimeError, match="still importing"):
        Course(contestants.OURS, {}, "", None, tmp_path).wait_until_ran(1, most_seconds=0)


def test_what_runs_in_node_is_counted_too(tmp_path: Path) -> None:
    play = f"""
        const {{ touch, note }} = await import({json.dumps(str(environments.PLAYERS / "probe.js"))});
        for (let number = 0; number < 1000; number += 1) touch();
        note(String(process.hrtime.bigint() - 5_000_000n));
        setTimeout(() => {{}}, 100); // longer than it takes to write
    """
    command = ["node", "--input-type=module", "--eval", play]
    subprocess.run(command, env={**os.environ, "BENCH_PROBE": str(tmp_path)}, check=True)
    seen = probe.seen(tmp_path)
    assert seen.messages == 1001
    assert 0 < seen.began < seen.latest <= time.monotonic_ns()
    assert probe.waits(tmp_path)[0] >= 5


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


def test_every_contestant_has_a_player() -> None:
    folder = Path(players.__file__).parent
    for contestant in contestants.EVERYONE:
        node = contestant.requirements == environments.NODE
        path = folder / "node" / f"{contestant.player}.js" if node else folder / f"{contestant.player}.py"
        assert path.exists(), contestant.name


def test_what_ended_processes_spent_is_counted() -> None:
    with subprocess.Popen([sys.executable, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as burner:
        assert burner.stdout
        assert burner.stdout.readline() == b"burnt\n"
        assert cost.processor_seconds([burner.pid]) >= 0.3


def test_a_message_costs_what_was_spent_while_it_ran() -> None:
    before, after = Spent(100, 1.0, 2.0, 5000, 10), Spent(300, 1.01, 2.004, 205_000, 14)
    found = cost.between(before, after)
    assert found
    assert (found.worker_us, found.server_us, found.processor_us) == pytest.approx((50, 20, 70))
    assert (found.wal_bytes, found.transactions) == (1000, 0.02)
    assert cost.between(after, after) is None


def followed(cpu: str = "EPYC", **rates: list[float]) -> history.Run:
    run = history.followed(race(**rates))
    return history.Run({**run.machine, "cpu": cpu}, run.figures)


def test_a_run_is_followed_by_its_rounds_beside_bare_sql() -> None:
    assert followed(ours=[20.0, 30.0], bare_sql=[50.0, 60.0]).figures == {"drain": [0.4, 0.5]}
    assert not followed(ours=[20.0, 30.0]).figures


def test_what_a_message_costs_is_followed() -> None:
    measured = race(ours=[20.0], bare_sql=[50.0])
    measured.standings["drain", "ours"].runs[0].cost = Cost(30.0, 20.0, 1800.0, 0.01)
    measured.standings["drain", "bare-sql"].runs[0].cost = Cost(2.0, 8.0, 300.0, 0.01)
    figures = history.followed(measured).figures
    assert figures == {"drain": [0.4], "worker": [3.0], "server": [2.0], "wal": [1800.0], "transactions": [0.01]}


@pytest.mark.parametrize(
    ("now", "slowed", "sped"),
    [
        ([0.40, 0.41, 0.42], False, False),
        ([0.36, 0.37, 0.38], False, False),  # within the scatter of then
        ([0.30, 0.31, 0.32], True, False),
        ([0.50, 0.51, 0.52], False, True),
    ],
)
def test_slower_is_what_lost_more_than_the_rounds_scatter(now: list[float], slowed: bool, sped: bool) -> None:
    then = followed(ours=[36.0, 40.0, 42.0], bare_sql=[100.0, 100.0, 100.0])
    found = history.changes(followed(ours=[100 * rate for rate in now], bare_sql=[100.0] * 3), [then])
    assert found
    [change] = found[1]
    assert (change.slowed, change.sped) == (slowed, sped)


def test_a_wait_that_grew_is_slower() -> None:
    def waited(milliseconds: float) -> history.Run:
        result = Result(waits=[milliseconds] * 100)
        return history.followed(Race(MACHINE, {("latency", "ours"): Standing("latency", "ours", [result])}))

    found = history.changes(waited(6.0), [waited(3.0)])
    assert found
    assert [change.slowed for change in found[1]] == [True, True]


def test_only_a_run_on_the_same_hardware_is_compared() -> None:
    slow, fast = followed(ours=[10.0], bare_sql=[100.0]), followed("Xeon", ours=[90.0], bare_sql=[100.0])
    found = history.changes(followed(ours=[40.0], bare_sql=[100.0]), [slow, fast])
    assert found
    assert found[0] is slow
    assert history.changes(followed("ARM", ours=[40.0], bare_sql=[100.0]), [slow, fast]) is None


def test_what_is_kept_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "KEPT", tmp_path / "history.jsonl")
    assert history.kept() == []
    runs = [history.keep(race(ours=[rate], bare_sql=[100.0])) for rate in (30.0, 40.0)]
    assert [run.figures for run in history.kept()] == [run.figures for run in runs]


def test_the_kept_runs_are_of_figures_that_are_followed_still() -> None:
    names = {figure.name for figure in history.FIGURES}
    assert all(run.figures.keys() <= names for run in history.kept())


def test_the_trend_shows_every_run_and_what_it_ran_on() -> None:
    runs = [followed(ours=[30.0], bare_sql=[100.0]), followed("Xeon", ours=[41.0], bare_sql=[100.0])]
    svg = trend.draw(runs)
    assert svg.count("<circle") == 2
    assert "2 cores of Xeon" in svg
    assert "0.41 now" in svg


def test_a_quick_run_is_not_kept() -> None:
    assert "not worth keeping" in CliRunner().invoke(main, ["bench", "--quick", "--keep"]).output


def test_a_run_of_drains_is_told_by_its_parts() -> None:
    alone = rounds.Round(100, 10)
    pairs = [rounds.Pair(alone, rounds.Round(rate, 20)) for rate in (75, 75, 100, 50, 25)]
    told = rounds.parts(pairs, 2)
    assert [(part.alone, part.held.rate, part.kept) for part in told] == [(alone, 75, 0.75), (alone, 50, 0.5)]
    assert len(rounds.parts(pairs[:1], 2)) == 1
