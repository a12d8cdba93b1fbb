"""Shows a race: a table in the terminal, with each target beside what was reached, and what changed since."""

from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.table import Table

from bench.contestants import EVERYONE
from bench.history import Change, Run, written
from bench.measures import MEASURES
from bench.race import Race, Standing

LABELS = {contestant.name: contestant.label for contestant in EVERYONE}


def show(race: Race, console: Console) -> None:
    """Print everything that was measured."""
    load, sync_ms = race.machine["load"][0], race.machine["sync_ms"]
    console.print(
        f"{race.machine['cores']} cores of {race.machine['cpu']}, load {load:.1f} at the start, "
        f"{sync_ms} ms to make a page durable\n"
    )
    for measure in MEASURES:
        if standings := race.of(measure.name):
            console.print(_table(race, measure.name, measure.title, measure.baseline, standings))
    if any(standing.cost for standing in race.of("drain")):
        console.print(_costs(race.of("drain")))
    targets = list(reached(race))
    if targets:
        table = Table("target", "reached", "", title="Targets", title_justify="left")
        for text, value, met in targets:
            table.add_row(text, value, "[green]met[/]" if met else "[red]missed[/]")
        console.print(table)


def _table(race: Race, name: str, title: str, baseline: str | None, standings: list[Standing]) -> Table:
    latency = name == "latency"
    columns = ("p50", "p95", "p99") if latency else ("messages/s", "of ours" if not baseline else f"of {baseline}")
    table = Table("", *columns, "memory, MB", "connections", title=title, title_justify="left")
    for standing in standings:
        held_against = race.value(baseline, standing.contestant) if baseline else race.value(name, "ours")
        if not standing.runs:
            table.add_row(LABELS[standing.contestant], f"[red]{(standing.problem or '').splitlines()[0]}[/]")
            continue
        figures = (
            [_milliseconds(standing.wait(percent)) for percent in (50, 95, 99)]
            if latency
            else [_rate(standing.value), _share(standing.value, held_against)]
        )
        memory = f"{standing.memory_mb:.0f}" if standing.memory_mb else ""
        connections = f"{standing.connections:g}" if standing.connections else ""
        table.add_row(LABELS[standing.contestant], *figures, memory, connections)
    return table


def _costs(standings: list[Standing]) -> Table:
    columns = ("workers, µs", "server, µs", "both", "WAL, bytes", "transactions ‰")
    table = Table("", *columns, title="What a message of the drain costs", title_justify="left")
    for standing in standings:
        if cost := standing.cost:
            figures = (cost.worker_us, cost.server_us, cost.processor_us, cost.wal_bytes, 1000 * cost.transactions)
            table.add_row(LABELS[standing.contestant], *(f"{figure:,.0f}" for figure in figures))
    return table


def show_changes(then: Run, changes: Sequence[Change], console: Console) -> None:
    """Print how a run stands to the one that was kept before it."""
    table = Table("", "then", "now", "scatter", "", title=f"Since {then.since}", title_justify="left")
    for change in changes:
        verdict = "[red]slower[/]" if change.slowed else "[green]faster[/]" if change.sped else "as it was"
        table.add_row(change.title, written(change.then), written(change.now), f"{change.scatter:.0%}", verdict)
    console.print(table)


def reached(race: Race) -> Iterator[tuple[str, str, bool]]:
    """Every target that this run can tell about: what it is, what was reached, whether that is enough."""
    for text, measure, peer, least in RATIOS:
        ours, theirs = race.value(measure, "ours"), race.value(measure, peer)
        if ours and theirs:
            yield f"{text} ≥ {least:g} ×", f"{ours / theirs:.2f} ×", ours / theirs >= least
    for text, measure, contestant, baseline, peer, least in SHARES:
        value, base = race.value(measure, contestant), race.value(baseline, peer)
        if value and base:
            yield f"{text} ≥ {least:.0%}", f"{value / base:.0%}", value / base >= least
    for text, most, read in LIMITS:
        figure = read(race)
        if figure is not None:
            yield f"{text} {most:+g}".replace("+", "≤ ").replace("-", "≥ "), f"{figure:,.1f}", _within(figure, most)


def _within(figure: float, most: float) -> bool:
    return figure <= most if most > 0 else figure >= -most


def _wait(percent: int) -> Callable[[Race], float | None]:
    def read(race: Race) -> float | None:
        standing = race.standings.get(("latency", "ours"))
        return standing.wait(percent) if standing else None

    return read


def _extra_memory(measure: str) -> Callable[[Race], float | None]:
    def read(race: Race) -> float | None:
        more, base = race.standings.get((measure, "ours")), race.standings.get(("drain", "ours"))
        return more.memory_mb - base.memory_mb if more and base and more.memory_mb and base.memory_mb else None

    return read


def _connections(race: Race) -> float | None:
    standing = race.standings.get(("drain", "ours"))
    return standing.connections if standing else None


RATIOS = [
    ("drain, of dramatiq-pg's", "drain", "dramatiq-pg", 15),
    ("drain, of RabbitMQ's", "drain", "rabbitmq", 2),
    ("drain, of Redis's", "drain", "redis", 2),
    ("drain, of PgQueuer's in threads", "drain", "pgqueuer", 1.15),
    ("enqueue one by one, of dramatiq-pg's", "send", "dramatiq-pg", 2),
]
SHARES = [
    ("drain through pgmq", "drain", "ours-pgmq", "drain", "ours", 0.85),
    ("drain of a large backlog", "backlog", "ours", "drain", "ours", 0.85),
    ("drain beside messages due next month", "future", "ours", "drain", "ours", 0.85),
    ("drain beside finished messages", "finished", "ours", "drain", "ours", 0.90),
    ("drain under a held snapshot", "snapshot", "ours", "long", "ours", 0.70),
    ("drain through pgmq under a held snapshot", "snapshot", "ours-pgmq", "long", "ours-pgmq", 0.70),
]
LIMITS: list[tuple[str, float, Callable[[Race], float | None]]] = [  # a negative limit is a least
    ("bulk enqueue, messages/s", -50_000, lambda race: race.value("bulk", "ours")),
    ("latency p50, ms", 5, _wait(50)),
    ("latency p99, ms", 25, _wait(99)),
    ("memory that a large backlog adds, MB", 30, _extra_memory("backlog")),
    ("memory that future messages add, MB", 30, _extra_memory("future")),
    ("connections per worker process of 8 threads", 11, _connections),
]


def _rate(value: float | None) -> str:
    return f"{value:,.0f}" if value else ""


def _share(value: float | None, whole: float | None) -> str:
    return f"{value / whole:.0%}" if value and whole else ""


def _milliseconds(value: float | None) -> str:
    return f"{value:.1f} ms" if value is not None else ""
