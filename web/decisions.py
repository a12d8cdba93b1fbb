"""What an operator decides on a page: who, why, and by which form."""

from uuid import UUID, uuid4

from flask import g, request

from desk.decision import Decision


def decided() -> Decision:
    """The decision that a form sends; two clicks on one form are one.

    Raises:
        Refused: it gives no reason.
    """
    return Decision(g.user.name, "page", request.form.get("reason", ""), _form(request.form.get("form", "")))


def new_form() -> str:
    """The id of a form that is shown."""
    return str(uuid4())


def _form(given: str) -> str | None:
    try:
        return str(UUID(given))
    except ValueError:
        return None
