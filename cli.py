"""The `balansity` command: everything a person does with the system from a terminal."""

import importlib
import pkgutil
import sys

import click
import psycopg2
import psycopg2.errors

import commands
import log
import settings
from discretion import told
from errors import BalansityError


class Balansity(click.Group):
    """Finds its commands in the package `commands` and reports our own errors as one readable line."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return sorted(_commands())

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _commands().get(cmd_name)

    def invoke(self, ctx: click.Context) -> object:
        try:
            log.set_up(settings.current().log_level)
            return super().invoke(ctx)
        except BalansityError as error:
            raise click.ClickException(told(str(error))) from error
        except psycopg2.Error as error:
            raise click.ClickException(told(_explained(error))) from error


def _explained(error: psycopg2.Error) -> str:
    """A database's complaint with the remedy."""
    reason = str(error).strip()
    if isinstance(error, psycopg2.errors.UndefinedTable | psycopg2.errors.UndefinedFunction):
        return f"The database is not migrated: {reason}\nRun `balansity migrate`."
    if isinstance(error, psycopg2.errors.InsufficientPrivilege):
        return f"{reason}\nGrant it to this role, or connect as the database's owner."
    return f"{reason}\n`balansity doctor` says more."


def _commands() -> dict[str, click.Command]:
    """Every click command that a module of `commands` defines, but for the parts of a group."""
    modules = [importlib.import_module(f"commands.{module.name}") for module in pkgutil.iter_modules(commands.__path__)]
    found = [member for module in modules for member in vars(module).values() if isinstance(member, click.Command)]
    parts = [part for group in found if isinstance(group, click.Group) for part in group.commands.values()]
    return {command.name: command for command in found if command.name and command not in parts}


@click.group(cls=Balansity, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="balansity")
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
