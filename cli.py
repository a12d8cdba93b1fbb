"""The `balansity` command: everything a person does with the system from a terminal."""

import importlib
import sys

import click

from discretion import told
from errors import BalansityError

VERSION = "0.1.0"
# Where each command stands in the package `commands`, and what it is for: help and completion import none of them.
COMMANDS = {
    "alarms": ("alarms:alarms", "What somebody was told of; tell a test word."),
    "bench": ("bench:bench", "Measure the broker beside its peers."),
    "cancel": ("fates:cancel", "Cancel messages that wait or run, by id or filter."),
    "dead": ("messages:dead", "Dead letters with their reasons; one whole."),
    "deliveries": ("mail:deliveries", "The ledger of e-mails; send one again."),
    "demo": ("demo:demo", "Watch the whole job once, on invented families."),
    "discard": ("fates:discard", "Delete dead letters and cancelled messages for good."),
    "doctor": ("doctor:doctor", "What is wrong with this installation, and the remedy."),
    "failures": ("failures:failures", "What fails and why, by kind."),
    "forget": ("forget:forget", "Remove what is held about a user."),
    "jobs": ("jobs:jobs", "The schedule: list, run, pause, resume, history."),
    "log": ("log:log", "Who of the staff did what, and why."),
    "messages": ("failures:messages", "Messages by state, queue, actor, age, failure, argument."),
    "migrate": ("migrate:migrate", "Bring the database to this version's schema."),
    "payments": ("payments:payments", "Payments that wait, or that a person has to decide about; all of one."),
    "person": ("person:person", "Why a person got a mail, or did not: their whole journey."),
    "plan": ("plan:plan", "What the schedule would do when; nothing is written."),
    "preview": ("mail:preview", "What mails look like, with sample data."),
    "queues": ("queues:queues", "Queues with depth, age and pauses; pause, resume."),
    "redrive": ("fates:redrive", "Send dead letters back to work."),
    "relay": ("relay:relay", "Carry messages from PostgreSQL to RabbitMQ."),
    "reports": ("reports:reports", "The reports that are kept, and their mails; mail one again."),
    "restored": ("restored:restored", "Mails that a restore holds, and the decision about them."),
    "reveal": ("reveal:reveal", "What an encrypted message says, for a reason."),
    "running": ("running:running", "What workers do now, whose locks they wait for, and where one hangs."),
    "schema": ("migrate:schema", "Write db/schema.sql, or check it."),
    "shadow": ("shadow:shadow", "What ours would do beside an old system; sends nothing."),
    "stats": ("statistics:statistics", "The clinic's figures of a period."),
    "status": ("status:status", "What waits, runs and failed; who lives, who is away."),
    "suppressions": ("mail:suppressions", "Addresses that get no mail; lift one."),
    "take-over": ("take_over:take_over", "Put ours in charge where an old system lives."),
    "user": ("user:user", "Make a user of the pages."),
    "up": ("up:up", "Run every process of the Procfile until Ctrl-C."),
}


class Balansity(click.Group):
    """Imports a command when it is called, and reports our own errors as one readable line."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """What help and completion show of it."""
        return click.Command(cmd_name, short_help=COMMANDS[cmd_name][1]) if cmd_name in COMMANDS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, found, rest = super().resolve_command(ctx, args)
        return name, found and imported(str(name)), rest

    def invoke(self, ctx: click.Context) -> object:
        helping = not set(ctx.help_option_names).isdisjoint(ctx.args)
        try:
            if not helping:
                _begin()
            return super().invoke(ctx)
        except BalansityError as error:
            raise click.ClickException(told(str(error))) from error
        except Exception as error:
            if explanation := _explained(error):
                raise click.ClickException(told(explanation)) from error
            raise


def imported(name: str) -> click.Command:
    """The command of that name."""
    module, attribute = COMMANDS[name][0].split(":")
    command: click.Command = getattr(importlib.import_module(f"commands.{module}"), attribute)
    return command


def _begin() -> None:
    """Read the settings and set up logging; loaded late, since help needs neither."""
    log, settings = map(importlib.import_module, ("log", "settings"))
    log.set_up(settings.current().log_level)


def _explained(error: Exception) -> str | None:
    """A database's complaint with the remedy; none where it is something else's."""
    psycopg2 = sys.modules.get("psycopg2")
    if psycopg2 is None or not isinstance(error, psycopg2.Error):
        return None
    reason = str(error).strip()
    if importlib.import_module("db.trouble").unmigrated(error):
        return f"The database is not migrated: {reason}\nRun `balansity migrate`."
    if isinstance(error, psycopg2.errors.InsufficientPrivilege):
        return f"{reason}\nGrant it to this role, or connect as the database's owner."
    return f"{reason}\n`balansity doctor` says more."


@click.group(cls=Balansity, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION)
def main() -> None:
    """Balansity's background work: mails, reports, payments and analytics on one PostgreSQL.

    \b
    New here?        balansity demo      watch the whole job once
    Running it?      balansity up        every process, until Ctrl-C
    Something odd?   balansity doctor    what is wrong and how to mend it
                     balansity status    what waits, runs and failed
    Settings come from the environment; .env.example lists them all.
    """  # noqa: D301 - click reads the \b as "keep these lines"


if __name__ == "__main__":
    sys.exit(main(prog_name="balansity"))
