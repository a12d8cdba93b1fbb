"""A line of Russian text does not end where a reader would stumble."""

import pytest

from mail.typography import NO_BREAK, typeset, typeset_html


@pytest.mark.parametrize(
    "glued",
    [
        "Отчет~— во~вложении к~письму",
        "В~среду, 25~ноября в~10:35 (МСК+2)",
        "мы напомним за~сутки и~за~час",
        "45~минут, 5~000~₽, 2026~года",
        "не~дольше десяти дней",
        "о~«Балансе» и~(о~нем)",
        "по~чекапу и~о~нем",
        "Понаблюдайте две~— четыре недели",
        "Кто-то и~где-то на~воде",
        "https://balansity.example/a/b и~https://balansity.example",
    ],
)
def test_short_words_dashes_and_dates_stay_together(glued: str) -> None:
    assert typeset(glued.replace("~", " ").replace("5 000", f"5{NO_BREAK}000")) == glued.replace("~", NO_BREAK)


def test_what_a_browser_does_not_show_stays_as_it_is() -> None:
    document = '<p title="в доме">в доме<!-- в доме --><b>и</b> он</p><style>a { b: 1 }</style>'
    assert typeset_html(document) == document.replace(">в доме", f">в{NO_BREAK}доме")
    linked = '<p>видны в <a href="/">личном кабинете</a> — и <b>там</b></p>'
    assert typeset_html(linked) == linked.replace("в <", f"в{NO_BREAK}<").replace(" —", f"{NO_BREAK}—")
    assert typeset_html("<p>и &lt;он&gt;, и &amp;</p>") == "<p>и &lt;он&gt;, и &amp;</p>"
