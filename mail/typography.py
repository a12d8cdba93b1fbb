"""Russian text as an editor leaves it: a line does not end where a reader would stumble."""

import re

NO_BREAK = "\N{NO-BREAK SPACE}"
MONTHS = "января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря"

SHORT = r"(?<![\w-])(?:а|без|в|во|да|для|до|за|и|из|или|к|как|ко|на|не|ни|но|о|об|от|по|под|при|про|с|со|у)[ ]"

# What belongs to the word after it, to the number before it, or to the line before it.
GLUED = re.compile(
    rf"""
    {SHORT}(?=[\w«(])
    | (?<=\d)[ ](?=(?:{MONTHS}|минут|час|₽|года?\b))
    | [ ](?=[—–])
    """,
    re.IGNORECASE | re.VERBOSE,
)
LEFT_OPEN = re.compile(rf"{SHORT}\Z", re.IGNORECASE)
NO_TEXT = re.compile(r"(<style.*?</style>|<!--.*?-->|<[^>]*>)", re.DOTALL)


def typeset(text: str) -> str:
    """Plain text, with spaces that do not break where a line must not end."""
    return GLUED.sub(_unbroken, text)


def typeset_html(html: str) -> str:
    """As `typeset`, for the text of a document that has no scripts; what a browser does not show stays as it is."""
    *pieces, last = NO_TEXT.split(html)
    texts, tags = pieces[::2], pieces[1::2]
    return "".join(_before(tag, typeset(text)) + tag for text, tag in zip(texts, tags, strict=True)) + typeset(last)


def _before(tag: str, text: str) -> str:
    """Text that goes on in a link: a short word at its end belongs to the link's first."""
    return LEFT_OPEN.sub(_unbroken, text) if tag.startswith("<a ") else text


def _unbroken(found: re.Match[str]) -> str:
    return found[0].replace(" ", NO_BREAK)
