"""Writes docs/reference/ from the code: settings, commands, SQL functions and log events. `make reference` calls it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click

from cli import COMMANDS, imported
from settings import ROOT, Settings

FOLDER = ROOT / "docs" / "reference"
FOOT = "\n<!-- Made from the code by `make reference`: change it there. -->\n"
FUNCTION = re.compile(r"^CREATE FUNCTION (\w+)\.(\w+)\((.*?)\) RETURNS (.+?)$", re.MULTILINE)
COMMENT = re.compile(r"^COMMENT ON FUNCTION (\w+)\.(\w+)\(.*?\) IS '((?:[^']|'')+)';$", re.MULTILINE | re.DOTALL)
SCHEMAS = {
    "public": "For the site, in its own schema",
    "dramatiq": "Of the broker",
    "balansity": "Of the clinic",
}
LEVELS = {"info", "warning", "error"}


class Event(NamedTuple):
    """A log line: its name, level and fields, and the file that writes it."""

    name: str
    level: str
    fields: str
    file: str


def pages() -> dict[str, str]:
    """Each page's name and text."""
    made = {"settings": settings(), "commands": commands(), "sql": sql(), "log-events": log_events()}
    return {f"{name}.md": "\n".join(lines).rstrip() + "\n" + FOOT for name, lines in made.items()}


def settings() -> Iterator[str]:
    yield "# Settings\n"
    yield "Each is an environment variable, or a line of `.env`, which the environment overrules. Wrong ones are all"
    yield "named before anything starts. Secret ones are never shown and never logged.\n"
    yield "| setting | default | what it is for |\n|---|---|---|"
    for name, field in Settings.model_fields.items():
        default = f"`{field.default}`" if field.default else ""
        yield f"| `{name.upper()}` | {default} | {_cell(str(field.description))}{'' if field.repr else ' (secret)'} |"


def commands() -> Iterator[str]:
    yield "# Commands\n"
    yield "`balansity COMMAND --help` says the same. Ids may be given by their first letters."
    for name in COMMANDS:
        yield from _command(f"balansity {name}", imported(name), "##")


def sql() -> Iterator[str]:
    yield "# SQL functions\n"
    yield "As `balansity migrate` makes them. Only the service may call them, and the logins of `balansity_worker` and"
    yield "`balansity_web` those that they need. What stands in `public` is for the site, and so is `dramatiq.send`."
    schema = (ROOT / "db" / "schema.sql").read_text(encoding="utf-8")
    about = {(found[1], found[2]): found[3].replace("''", "'") for found in COMMENT.finditer(schema)}
    functions = sorted(found.groups() for found in FUNCTION.finditer(schema))
    for room, title in SCHEMAS.items():
        yield f"\n## {title}: `{room}`\n\n| function | gives | what it does |\n|---|---|---|"
        for schema_name, name, taken, given in functions:
            if schema_name == room and "trigger" not in given:
                words = _cell(about.get((room, name)) or about.get(("balansity", f"site_{name}"), ""))
                yield f"| `{name}({_cell(taken)})` | `{_cell(given.removesuffix(' AS').strip())}` | {words} |"


def log_events() -> Iterator[str]:
    yield "# Log events\n"
    yield "One a line: `time level process logger name key=value …`. Fields hold ids, counts and kinds, never a"
    yield "person's name, address or answers. What a run logs ends with its `trace`.\n"
    yield "| event | level | fields | written by |\n|---|---|---|---|"
    for event in sorted({event for path in _sources() for event in events(path)}):
        yield f"| `{event.name}` | {event.level} | {_cell(event.fields)} | `{event.file}` |"


def events(path: Path) -> Iterator[Event]:
    """The events that a file writes by an EventLogger."""
    file = str(path.relative_to(ROOT))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in LEVELS:
            continue
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "events" and node.args):
            continue
        fields = ", ".join(f"`{each.arg}`" for each in node.keywords if each.arg and each.arg != "with_traceback")
        for name in ast.walk(node.args[0]):
            if isinstance(name, ast.Constant) and re.fullmatch("[a-z]+(_[a-z]+)*", str(name.value)):
                yield Event(str(name.value), node.func.attr, fields, file)


def _sources() -> Iterator[Path]:
    for path in sorted(ROOT.glob("**/*.py")):
        if path.relative_to(ROOT).parts[0] not in {"bench", "build", "demo", "docs", "tests", "var", ".venv"}:
            yield path


def _command(usage: str, command: click.Command, heading: str) -> Iterator[str]:
    yield f"\n{heading} {usage}\n"
    yield _help(command)
    context = click.Context(command, info_name=usage)
    taken = " ".join(command.collect_usage_pieces(context))
    yield f"\n```text\n{usage} {taken}\n```"
    rows = [each for each in (param.get_help_record(context) for param in command.params) if each]
    if rows:
        yield "\n| option | what it does |\n|---|---|"
        yield from (f"| `{_cell(option)}` | {_cell(about)} |" for option, about in rows)
    if isinstance(command, click.Group):
        for name, part in command.commands.items():
            yield from _command(f"{usage} {name}", part, "###")


def _help(command: click.Command) -> str:
    paragraphs = (command.help or command.short_help or "").replace("\b\n", "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _cell(text: Any) -> str:
    return " ".join(str(text).split()).replace("|", r"\|").replace("<", "&lt;")


def write() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
