"""Words from outside stand in one line of a mail, and lead nowhere."""

from typing import Any

import pytest

from domain.words import one_line, person_name


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
        ("https:evil и https:\\\\evil", "https: evil и https: \\\\evil"),
        ("evil。example, evil．com, evil｡рф и evil․com", "evil。 example, evil． com, evil｡ рф и evil․ com"),
        ("в 10:35", "в 10:35"),
    ],
)
def test_a_name_is_no_link(name: str, words: str) -> None:
    assert one_line(name) == words


@pytest.mark.parametrize(
    "name",
    [
        "Анна-Мария", "Иван И.", "А. С. Пушкин", "O'Neil", "D’Angelo", "Мар’яна", "Нґуєн Тхі Лан",
        "李小龍", "アンナ マリー", "Гульнара Саид кызы", "Zoë", "Zoe\u0308", "Nguyễn", "محمد", "देवी", "ქეთევან",
        "Я" * 60,
    ],
)  # fmt: skip
def test_people_are_called_as_they_are(name: str) -> None:
    assert person_name(f" {name}\n") == name


@pytest.mark.parametrize(
    "value",
    [
        None, "", "\u200b", 7, "Я" * 61, "я" * 20_000, "Ваш счёт закрыт, позвоните нам",
        "Вы выиграли приз заберите его",
        "evil.example", "evil。example", "evil．com", "evil｡com", "evil․com", "evil﹒com", "evilꓸcom",
        "evil\u200b.com", "t.me",
        "https:evil", "https：evil", "https:／／evil", "www.evil", "evil/login", "a@evil", "ｅｖｉｌ．ｃｏｍ",
        "⒈evil", "Анна (evil)",
        "+7 900 000-00-00", "89000000000", "Анна 8", "٨٩٠٠", "８９００", "②②", "<b>Анна</b>", "{{ 7 }}",
        "=?utf-8?q?a?=",
        "\u3164", "\u115f", "\u1160", "\uffa0", "Анна \u3164",
        "Анна!", "Анна; Иван", "А" + "\u0301" * 20,
    ],
)  # fmt: skip
def test_what_no_person_is_called_is_no_name(value: Any) -> None:
    assert person_name(value) is None
