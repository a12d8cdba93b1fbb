"""`balansity user`: the line of WEB_USERS that lets a person see the pages."""

import sys

import click
from werkzeug.security import generate_password_hash

from commands.output import say
from errors import BalansityError
from values import ROLES, USER, good_password


@click.command()
@click.argument("name")
@click.option(
    "--role", type=click.Choice(ROLES), default="reader", show_default=True, help="Readers look; operators act, too."
)
def user(*, name: str, role: str) -> None:
    """Ask for a password and print the line of WEB_USERS for NAME: `balansity user vera --role operator`.

    Put the line into WEB_USERS, beside those of others, with a space between and single quotes around all, and start
    the web process anew. A user is removed, or gets another password, by changing the line; that ends all sessions.
    """
    password = _asked()
    try:
        good_password(password)
    except ValueError as error:
        raise BalansityError(f"The password {error}") from None
    line = f"{name}:{role}:{generate_password_hash(password)}"
    if not USER.fullmatch(line):
        raise BalansityError(f"{name!r} is no name: letters, digits, dots and hyphens, 40 at most.")
    say(line)


def _asked() -> str:
    if not sys.stdin.isatty():  # a program's: the first line
        return sys.stdin.readline().rstrip("\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt="Once more", err=True))
