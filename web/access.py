"""Who may see the pages: whoever knows WEB_USERNAME and WEB_PASSWORD; without these settings, nobody."""

import json
import math
import time
from hashlib import sha256
from hmac import compare_digest

from flask import Flask, Response, current_app, request

import settings
from web.throttle import Throttle, source_of

# Views that check their callers themselves, or have nothing to hide.
OPEN_ENDPOINTS = {"health.check", "sendgrid_events.receive", "yookassa_notices.receive"}


def close(app: Flask) -> None:
    """Ask for the login before every view but the open ones."""
    app.extensions["throttle"] = Throttle()
    app.before_request(_check)
    app.after_request(_harden)


def _check() -> Response | None:
    if request.endpoint in OPEN_ENDPOINTS:
        return None
    current = settings.current()
    if not current.web_username:
        return Response("The pages are closed: set WEB_USERNAME and WEB_PASSWORD.\n", 403, mimetype="text/plain")
    try:
        given = request.authorization
    except ValueError:  # Werkzeug reads no base64 in other letters than ASCII's
        return Response("The login cannot be read.\n", 400, mimetype="text/plain")
    if not given:
        return _asked()
    right = _same((given.username, given.password), (current.web_username, current.web_password))
    throttle: Throttle = current_app.extensions["throttle"]
    if pause := throttle.pause(source_of(request.remote_addr), right=right, now=time.monotonic()):
        seconds = str(math.ceil(pause))
        return Response(f"Too many wrong tries: wait {seconds} s.\n", 429, {"Retry-After": seconds}, "text/plain")
    return None if right else _asked()


def _asked() -> Response:
    return Response("Who are you?\n", 401, {"WWW-Authenticate": 'Basic realm="Balansity", charset="UTF-8"'})


def _same(given: tuple[str | None, str | None], expected: tuple[str, str]) -> bool:
    """Whether both are equal, in a time that depends on neither."""
    return compare_digest(_digest(given), _digest(expected))


def _digest(login: tuple[str | None, str | None]) -> bytes:
    return sha256(json.dumps(login).encode()).digest()


def _harden(response: Response) -> Response:
    """Pages load nothing from elsewhere, are framed by nobody else, and are not kept."""
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; img-src 'self' data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'self'; object-src 'none'",
    )
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers.setdefault("Cache-Control", "no-store")
    return response
