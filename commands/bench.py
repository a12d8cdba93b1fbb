"""Measure how fast the broker is, beside its peers."""

import json
from pathlib import Path

import click
from rich.console import Console

from bench import history, measures, picture, race, report, trend
from bench.contestants import EVERYONE
from bench.environments import FOLDER
from commands.output import json_option

MEASURES = [measure.name for measure in measures.MEASURES]
CONTESTANTS = [contestant.name for contestant in EVERYONE]


@click.command()
@click.option("--only", multiple=True, type=click.Choice(MEASURES), help="Measure only this; may be repeated.")
@click.option("--contestant", multiple=True, type=click.Choice(CONTESTANTS), help="Only this one; may be repeated.")
@click.option("--rounds", default=3, show_default=True, help="How often; the median counts.")
@click.option("--quick", is_flag=True, help="One short round, to see that it works.")
@click.option("--long", "long_", is_flag=True, help="A snapshot held for 5 minutes, 5 million finished messages.")
@click.option("--keep", is_flag=True, help="Keep the figures in bench/history.jsonl, and draw them over time.")
@json_option
@click.option("--folder", default=FOLDER / "results", type=click.Path(path_type=Path), help="Where results are kept.")
def bench(only: tuple[str, ...], contestant: tuple[str, ...], rounds: int, folder: Path, **switches: bool) -> None:
    """Measure the broker beside its peers: speed, latency, memory, cost, and what slows it down.

    Then it says what became slower, by more than the rounds scatter, since the last run that was kept on such hardware.
    """
    if switches["keep"] and switches["quick"]:
        raise click.UsageError("A quick run's figures are not worth keeping.")
    scale = measures.QUICK if switches["quick"] else measures.LONG if switches["long_"] else measures.Scale()
    rounds = 1 if switches["quick"] else rounds
    result = race.run(only or MEASURES, contestant or CONTESTANTS, rounds, scale)
    folder.mkdir(parents=True, exist_ok=True)
    figures = json.dumps(result.as_json(), ensure_ascii=False, indent=2)
    (folder / "bench.json").write_text(figures, encoding="utf-8")
    (folder / "bench.svg").write_text(picture.draw(result), encoding="utf-8")
    since = history.changes(history.followed(result), history.kept())
    if switches["keep"]:
        history.keep(result)
        trend.PICTURE.write_text(trend.draw(history.kept()), encoding="utf-8")
    if switches["as_json"]:
        click.echo(figures)
        return
    console = Console()
    report.show(result, console)
    if since and not switches["quick"]:
        report.show_changes(*since, console)
    console.print(f"{folder / 'bench.json'}, {folder / 'bench.svg'}")
