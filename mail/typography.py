"""Russian text as an editor leaves it: a line does not end where a reader would stumble."""

import re

NO_BREAK = "\N{NO-BREAK SPACE}"
MONTHS = "января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря"

# What belongs to the word after it, to the number before it, or to the line before it.
GLUED = re.compile(
    rf"""
    (?<![\w-])(?:а|без|в|во|да|для|до|за|и|из|или|к|как|ко|на|не|ни|но|о|об|от|по|под|при|про|с|со|у)[ ](?=[\w«(])
    | (?<=\d)[ ](?=(?:{MONTHS}|минут|час|₽|года?\b))
    | [ ](?=[—–])
    """,
    re.IGNORECASE | re.VERBOSE,
)
NO_TEXT = re.compile(r"(<style.*?</style>|<!--.*?-->|<[^>]*>)", re.DOTALL)


def typeset(text: str) -> str:
    """Plain text, with spaces that do not break where a line must not end."""
    return GLUED.sub(lambda space: space[0].replace(" ", NO_BREAK), text)


def typeset_html(html: str) -> str:
    """As `typeset`, for the text of a document that has no scripts; what a browser does not show stays as it is."""
    pieces = NO_TEXT.split(html)
    return "".join(typeset(piece) if at % 2 == 0 else piece for at, piece in enumerate(pieces))
