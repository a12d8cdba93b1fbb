"""What was seen: the effects as they appear, counted, told to a person and summed up as JSON."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from db import queries
from db.connection import Connection
from demo.acts import Act, Effect
from demo.stage import Stage
from gateways import private

READERS = {
    "emails": queries.demo.mails,
    "reports": queries.demo.reports,
    "analytics": queries.demo.events,
    "appointments": queries.demo.appointments,
    "payments": queries.demo.payments,
    "assessments": queries.demo.assessments,
}


@dataclass
class Account:
    """The effects that are awaited, and those that were seen."""

    stage: Stage
    acts: list[Act]
    console: Console
    started_at: float
    seen: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    told: set[Effect] = field(default_factory=set)

    @property
    def effects(self) -> list[Effect]:
        return [effect for act in self.acts for effect in act.effects]

    @property
    def seconds(self) -> float:
        return round(time.monotonic() - self.started_at, 1)

    def look(self, conn: Connection) -> None:
        """Read everything that may have changed."""
        for name, read in READERS.items():
            self.seen[name] = [row._asdict() for row in read(conn)]
        self.seen["emails"] = [row for row in self.seen["emails"] if row["state"] != "planned"]

    def count(self, effect: Effect) -> int:
        return sum(effect.matches(row) for row in self.seen[effect.kind] if row.get("state", "sent") == "sent")

    def complete(self) -> bool:
        return all(self.count(effect) for effect in self.effects)

    def progress(self) -> Progress:
        columns = (TextColumn("effects seen"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        return Progress(*columns, console=self.console, transient=True)

    def tell(self) -> int:
        """Tell of the effects that are new; returns how many were seen so far."""
        for act in self.acts:
            for effect in act.effects:
                if effect not in self.told and self.count(effect):
                    self.told.add(effect)
                    self.say(f"[green]✓[/] {effect.label:<34} [dim]{act.title}[/]")
        return len(self.told)

    def say(self, line: str) -> None:
        self.console.print(f"[dim]{self.seconds:5.1f} s[/]  {line}")

    def problems(self, conn: Connection) -> list[str]:
        """Whatever is not as it must be: an effect missing or repeated, one that nobody expected, a dead letter."""
        found = [
            f"{effect.label}: seen {count} times instead of once"
            for effect in self.effects
            if (count := self.count(effect)) != 1
        ]
        expected = Counter(effect.kind for effect in self.effects)
        counts = [(kind, kind, len(self.seen[kind])) for kind in ("emails", "reports", "analytics")]
        counts.append(("mail files", "emails", len(list(self.stage.outbox.glob("*.eml")))))
        found += [
            f"{count} {what} instead of {expected[kind]}" for what, kind, count in counts if count != expected[kind]
        ]
        found += [
            f"dead letter of {dead_letter.actor_name}: {dead_letter.error.strip().splitlines()[-1]}"
            for dead_letter in queries.demo.dead(conn)
        ]
        return found

    def write_reports(self) -> None:
        for report in self.seen["reports"]:
            path = self.stage.reports / report["file"]
            private.write(path, bytes(report.pop("content")))
            report["file"] = str(path)

    def summary(self, problems: list[str]) -> dict[str, Any]:
        emails = [
            {key: row[key] for key in ("id", "template", "state", "key")}
            | {"file": str(self.stage.outbox / row["file"])}
            for row in self.seen["emails"]
        ]
        return {**self.seen, "emails": emails, "seconds": self.seconds, "problems": problems}
