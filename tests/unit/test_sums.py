"""Sums stand on pages as their reader writes them."""

import pytest

from tests.reading import plain
from web.app import create_app
from web.sums import written


@pytest.mark.parametrize(
    ("language", "words", "shown"),
    [
        ("ru", "5000.00 RUB", "5 000 ₽"),
        ("ru", "5000.50 RUB yookassa", "5 000,50 ₽ yookassa"),
        ("ru", "7.00 USD", "7 $"),
        ("en", "5000.00 RUB", "RUB5,000"),
        ("en", "send_email", "send_email"),
    ],
)
def test_a_sum_is_written_so(language: str, words: str, shown: str) -> None:
    with create_app().test_request_context(headers={"Accept-Language": language}):
        assert plain(written(words)) == shown
