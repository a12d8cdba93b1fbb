"""Who may see the pages: whoever knows WEB_USERNAME and WEB_PASSWORD; without these settings, nobody."""

from hmac import compare_digest

from flask import Flask, Response, request

import settings

# Views that check their callers themselves, or have nothing to hide.
OPEN_ENDPOINTS = {"health.check", "sendgrid_events.receive", "yookassa_notices.receive"}


def close(app: Flask) -> None:
    """Ask for the login before every view but the open ones."""
    app.before_request(_check)
    app.after_request(_harden)


def _check() -> Response | None:
    if request.endpoint in OPEN_ENDPOINTS:
        return None
    current = settings.current()
    if not current.web_username:
        return Response("The pages are closed: set WEB_USERNAME and WEB_PASSWORD.\n", 403, mimetype="text/plain")
    given = request.authorization
    if given and _same(given.username, current.web_username) and _same(given.password, current.web_password):
        return None
    return Response("Who are you?\n", 401, {"WWW-Authenticate": 'Basic realm="Balansity", charset="UTF-8"'})


def _same(given: str | None, expected: str) -> bool:
    return compare_digest((given or "").encode(), expected.encode())


def _harden(response: Response) -> Response:
    """Pages load nothing from elsewhere, are framed by nobody else, and are not kept."""
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; img-src 'self' data:",
    )
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers.setdefault("Cache-Control", "no-store")
    return response
