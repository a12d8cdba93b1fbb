"""A page of the documentation as its test reads it: fenced blocks with what is to be done with each, and commands."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

import settings
from cli import COMMANDS, imported

DOCS = settings.ROOT / "docs"
GUIDES = sorted((DOCS / "guides").glob("*.md"))
BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]+?) -->\n)?```(?P<language>[\w-]*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
SPAN = re.compile(r"(?<!`)`(balansity [^`]+)`(?!`)")
ENDS = {"|", ";", "&&", "||", ">", "#"}  # of a command in a shell's line


@dataclass(frozen=True)
class Block:
    """Fenced lines, and the mark before them: `run`, `run 1` (its exit code), `sql`, `output`, `file PATH`, `shape`."""

    mark: str
    language: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(found["mark"] or "", found["language"], found["text"], text.count("\n", 0, found.start("language")) + 1)
        for found in BLOCK.finditer(text)
    ]


def commands(page: Path) -> set[str]:
    """Each call of the balansity command, in prose and in blocks of shell lines."""
    text = page.read_text(encoding="utf-8")
    scripts = [block.text.replace("\\\n", " ") for block in blocks(page) if block.language == "sh"]
    lines = [line for script in scripts for line in script.splitlines()]
    called = [line[line.rindex("balansity ") :] for line in lines if re.search(r"(^|[\s/])balansity ", line)]
    spans = (" ".join(span.split()) for span in SPAN.findall(BLOCK.sub("", text)))
    return {*called, *spans}


def complaints(call: str) -> Iterator[str]:
    """What of a call the command does not have; names in capitals and … stand for what a person fills in."""
    words = _words(call)[1:]
    if not words or words[0].startswith("-") or words[0] in {"…", "COMMAND"}:
        return
    if words[0] not in COMMANDS:
        yield f"no command {words[0]}"
        return
    command, words = imported(words[0]), words[1:]
    while isinstance(command, click.Group) and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)} | {"--help"}
    yield from (
        f"no {word} of {command.name}" for word in words if word.startswith("--") and word.split("=")[0] not in known
    )


def _words(call: str) -> list[str]:
    words = []
    for word in shlex.split(call.replace("…'", "'"), comments=True):
        if word in ENDS:
            break
        words.append(word.rstrip(";,"))
    return words
