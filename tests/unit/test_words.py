"""Words from outside stand in one line of a mail, and lead nowhere."""

from typing import Any

import pytest

from domain.words import one_line


@pytest.mark.parametrize("name", ["Анна-Мария", "Иван И.", "O'Neil", "Миша (7 лет)", "李"])
def test_a_name_stays_as_it_is(name: str) -> None:
    assert one_line(f"  {name}\n") == name


@pytest.mark.parametrize("value", [None, "", " \n\t", "\0", "\u200b", 7, ["Анна"]])
def test_what_is_no_name_is_not_there(value: Any) -> None:
    assert one_line(value) is None


def test_a_name_is_one_line_of_visible_characters() -> None:
    assert one_line("Иван!\r\n\r\nВаш\u2028счёт\x85 закрыт\0\x1b\u202e\ud800") == "Иван! Ваш счёт закрыт"


def test_a_name_is_short() -> None:
    assert one_line("я" * 1_000) == "я" * 100


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Иван https://evil.example/login", "Иван https: //evil. example/login"),
        ("www.клиника.рф", "www. клиника. рф"),
        ("t.me/evil", "t. me/evil"),
        ("a@evil\u200b.example", "a@evil. example"),
        ("http://localhost", "http: //localhost"),
        ("А.С.Пушкин", "А. С. Пушкин"),
    ],
)
def test_a_name_is_no_link(name: str, words: str) -> None:
    assert one_line(name) == words
