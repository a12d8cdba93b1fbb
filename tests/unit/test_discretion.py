"""Nothing in data moves a terminal's cursor or turns a reader's lines around, and no secret of the settings is told."""

import json
import logging
import sys
import unicodedata
from collections.abc import Iterator
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

import discretion
import log
import settings
from address import shown
from commands.output import Terminal
from db.connection import connect
from discretion import conceal, told, told_json
from errors import DatabaseError

EVIL = "\x1b]0;owned\x07\x9b31m\r\u202eтекст\u2066\u200f\x7f\u2028\ud800"


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    conceal([])


def test_what_a_terminal_obeys_is_named() -> None:
    assert told(EVIL) == r"\x1b]0;owned\x07\x9b31m\r\u202eтекст\u2066\u200f\x7f\u2028\ud800"
    assert told("5 000 ₽\tАнна\nлиния 👩‍👧 ʼ") == "5 000 ₽\tАнна\nлиния 👩‍👧 ʼ"


def test_every_control_character_and_every_one_that_turns_text_is_among_them() -> None:
    for character in map(chr, range(sys.maxunicode + 1)):
        turns = unicodedata.bidirectional(character) in {
            *("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        }
        if turns or unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
            assert (told(character) == character) == (character in "\n\t"), hex(ord(character))


@given(st.text() | st.characters(categories=["Cc", "Cf", "Cs"]))
def test_json_says_the_same_to_programs(text: str) -> None:
    written = told_json(json.dumps({"name": text}, ensure_ascii=False))
    assert json.loads(written) == {"name": text}
    assert not discretion.OBEYED.search(written)


def test_a_table_prints_data_and_only_our_own_styles() -> None:
    stream = StringIO()
    Terminal(file=stream, force_terminal=True, width=200, highlight=False).print(f"[red]{EVIL}[/]")
    written = stream.getvalue()
    assert written.count("\x1b") == 2
    assert r"\x1b]0;owned" in written
    assert "\u202e" not in written


def test_a_log_line_is_guarded_whichever_library_wrote_it() -> None:
    stream, root = StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    root.addHandler(handler)
    try:
        log.guard()
        log.guard()
        conceal(["hunter2"])
        logging.getLogger("another").warning("it said %s with hunter2", EVIL)
    finally:
        root.removeHandler(handler)
    assert stream.getvalue() == f"it said {told(EVIL)} with (secret)\n"


def test_secrets_are_kept_out_wherever_they_turn_up() -> None:
    current = settings.load(
        {
            "DATABASE_URL": "postgresql://clinic:p%2Fss%20word@db/clinic",
            "REPORT_STORAGE_URL": "memory://me:letmein@host/reports",
            "SMTP_PASSWORD": "sesame",
        }
    )
    conceal(settings.secrets_of(current))
    for words in ("p%2Fss%20word", "p/ss word", "letmein", "sesame", current.database_url):
        assert told(f"it cannot log in with {words}: why?") == "it cannot log in with (secret): why?"
    assert told("role clinic of db, sesames") == "role clinic of db, sesames"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:pa/hunter2@h/db",
        "postgresql://h?password=hunter2@x",
        "postgresql://h/db?password=p@hunter2",
        "postgresql://u:hunter2%@h",
        "host=h hunter2",
    ],
)
def test_an_address_that_can_be_misread_is_not_shown(url: str) -> None:
    assert "hunter2" not in shown(url)
    with pytest.raises(DatabaseError) as wrong:
        connect(url)
    assert "hunter2" not in str(wrong.value)
