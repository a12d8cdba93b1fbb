"""`make faults`: the long form, with a line of progress, a table at the end, and exit code 1 where a promise broke."""

import os
import random
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import settings
from tests.faults.proof import plan as plans
from tests.faults.proof import run as runs
from tests.faults.proof.auditor import PROMISES
from tests.faults.proof.plan import Plan
from tests.faults.proof.run import Outcome

FOLDER = settings.ROOT / "var" / "proof"  # the last run's logs stay there
PATIENCE_SECONDS = 600
LONGEST_LIST = 20  # breaches of one promise that are shown

console = Console(highlight=False)


@click.command()
@click.option("--minutes", type=click.FloatRange(min=0.1), default=30, show_default=True, help="Of load under faults.")
@click.option("--seed", type=int, help="Of an earlier run, whose plan is to be repeated.")
@click.option("--provider", type=click.Choice(plans.MAIL_PROVIDERS), help="Of mail; else the seed chooses.")
def main(minutes: float, seed: int | None, provider: str | None) -> None:
    """Let families book, pay and fill in check-ups under every fault in random order, and audit what came of it."""
    os.environ["ENV_FILE"] = ""
    seed = random.randrange(2**32) if seed is None else seed
    plan = plans.plan(seed, plans.long(minutes), provider)
    console.print(
        f"SEED={seed} MINUTES={minutes:g}: mail by {plan.mail_provider}, {len(plan.deeds)} deeds of "
        f"{len({deed.number for deed in plan.deeds})} families, {sum(map(len, plan.lanes.values()))} faults"
    )
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with progressing(minutes * 60) as tell:
        outcome = runs.carry_out(plan, FOLDER, patience_seconds=PATIENCE_SECONDS, tell=tell)
    report(plan, outcome)
    if outcome.breaches:
        console.print(f"The same plan once more: make faults MINUTES={minutes:g} SEED={seed}. Logs: {FOLDER}")
    sys.exit(bool(outcome.breaches))


@contextmanager
def progressing(seconds: float) -> Iterator[runs.Tell]:
    """A bar of the load's time with the latest fault; where nobody watches, a line for each."""
    began = time.monotonic()
    if not console.is_terminal:
        yield lambda what: console.print(f"{time.monotonic() - began:7.1f} s  {what}")
        return
    with Progress(console=console) as bar:
        task = bar.add_task("begins", total=seconds)
        over = threading.Event()

        def tick() -> None:
            while not over.wait(0.5):
                bar.update(task, completed=time.monotonic() - began)

        ticking = threading.Thread(target=tick)
        ticking.start()
        try:
            yield lambda what: bar.update(task, description=f"{what:50.50}")
        finally:
            over.set()
            ticking.join()


def report(plan: Plan, outcome: Outcome) -> None:
    """Tables of what happened and of what became of each promise."""
    faults = Table("fault", "times", title="What went wrong")
    for name, count in sorted(outcome.faults.items()):
        faults.add_row(name, str(count))
    console.print(faults)

    evidence = outcome.evidence
    states = Counter(delivery.state for delivery in evidence.deliveries)
    attempts = sum(len(delivery.attempts) for delivery in evidence.deliveries)
    figures = Table("what", "how many", title="What was done")
    figures.add_row("families", str(len(evidence.businesses)))
    for state, count in sorted(states.items()):
        figures.add_row(f"mails {state}", str(count))
    figures.add_row("attempts in the ledger", str(attempts))
    figures.add_row("mails that the provider took", str(sum(call.taken for call in evidence.calls)))
    figures.add_row("lives of processes", str(len(evidence.lives)))
    settled = "not in time" if outcome.settled_after is None else f"{outcome.settled_after:.0f} s"
    figures.add_row("all settled after the last fault", settled)
    console.print(figures)

    promises = Table("promise", "breaches", title="What was promised")
    broken = Counter(breach.promise for breach in outcome.breaches)
    for name in PROMISES:
        promises.add_row(name, f"[red]{broken[name]}[/]" if broken[name] else "[green]0[/]")
    console.print(promises)
    for name in broken:
        listed = [breach.what for breach in outcome.breaches if breach.promise == name]
        for what in listed[:LONGEST_LIST]:
            console.print(f"✗ {name}: {what}", markup=False, soft_wrap=True)
        if len(listed) > LONGEST_LIST:
            console.print(f"  … and {len(listed) - LONGEST_LIST} more")


if __name__ == "__main__":
    main()
