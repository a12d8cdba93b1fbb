"""Who may see the pages: users of WEB_USERS, by a session of twelve hours; programs may look by a Basic login."""

import functools
import math
import time
from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest
from secrets import token_bytes
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, current_app, g, make_response, redirect, render_template, request, session
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.security import check_password_hash, generate_password_hash

import settings
from values import PageUser
from web.language import gettext, inside
from web.throttle import Throttle, source_of

# Views that check their callers themselves, or have nothing to hide.
OPEN_ENDPOINTS = {
    *("health.check", "health.lives", "health.is_ready", "system.system"),
    *("sendgrid_events.receive", "yookassa_notices.receive"),
    *("unsubscribe.ask", "unsubscribe.unsubscribe"),
    *("static", "assets.htmx", "access.log_in", "language.choose"),
}
SESSION_SECONDS = 12 * 3600

csrf = CSRFProtect()
pages = Blueprint("access", __name__, template_folder="templates")


def close(app: Flask) -> None:
    """Ask for the login before every view but the open ones; no form is obeyed that is not one of our pages'."""
    app.extensions["throttle"] = Throttle()
    users = settings.current().web_users
    # Whoever is given another password has no session any more, nor has anybody else.
    signs = f"sessions of {[(user, user.password_hash) for user in users]}".encode() if users else token_bytes()
    app.secret_key = sha256(signs).digest()
    app.config.update(
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.current().web_proxies > 0,  # one of them ends TLS
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
        WTF_CSRF_SSL_STRICT=False,  # it asks for a referrer, which our pages do not send
    )
    app.before_request(_check)
    csrf.init_app(app)
    app.register_error_handler(CSRFError, _refuse_form)
    app.after_request(_harden)
    app.context_processor(lambda: {"user": g.get("user")})
    app.register_blueprint(pages)


def operator(view: Callable[..., Any]) -> Callable[..., Any]:
    """A view that acts, or shows what is covered: readers are refused."""

    @functools.wraps(view)
    def guarded(*arguments: Any, **named: Any) -> Any:
        if not g.user.is_operator:
            return render_template("refused.html", why=gettext("Only an operator may do this.")), 403
        return view(*arguments, **named)

    return guarded


@pages.route("/login", methods=["GET", "POST"])
def log_in() -> Any:
    """The form, and what becomes of it."""
    if not settings.current().web_users:
        return _closed()
    if request.method == "GET":
        return render_template("login.html", refusal=None)
    name = request.form.get("name", "")
    user, seconds = _tried(name, request.form.get("password", ""))
    if user:
        session.clear()
        session.update(user=user.name, since=int(time.time()))
        return redirect(inside(request.args.get("next", "/")), 303)
    if seconds:
        words = gettext("Too many wrong tries: wait %(seconds)s s.", seconds=seconds)
        return render_template("login.html", refusal=words), 429, {"Retry-After": str(seconds)}
    return render_template("login.html", refusal=gettext("No user of this name has this password.")), 401


@pages.post("/logout")
def log_out() -> Any:
    """End the session."""
    session.clear()
    return redirect("/login", 303)


def _check() -> Any:
    if request.endpoint in OPEN_ENDPOINTS:
        return None
    if not settings.current().web_users:
        return _closed()
    try:
        given = request.authorization if request.method in {"GET", "HEAD"} else None
    except ValueError:  # Werkzeug reads no base64 in other letters than ASCII's
        return Response("The login cannot be read.\n", 400, mimetype="text/plain")
    if given:
        g.user, seconds = _tried(given.username or "", given.password or "")
        if seconds:
            words = f"Too many wrong tries: wait {seconds} s.\n"
            return Response(words, 429, {"Retry-After": str(seconds)}, "text/plain")
    else:
        g.user = _of_session()
    return None if g.user else _asked()


def _of_session() -> PageUser | None:
    if time.time() - session.get("since", 0) > SESSION_SECONDS:
        return None
    return next((user for user in settings.current().web_users if user.name == session.get("user")), None)


def _tried(name: str, password: str) -> tuple[PageUser | None, int]:
    """The user whose login this is, or the seconds until another is tried; how long it takes tells nothing of names."""
    throttle: Throttle = current_app.extensions["throttle"]
    source = source_of(request.remote_addr)
    if pause := throttle.left(source, now=time.monotonic()):
        return None, math.ceil(pause)
    user = next((each for each in settings.current().web_users if _same(each.name, name)), None)
    right = check_password_hash(user.password_hash if user else _nobodys(), password) and user is not None
    pause = throttle.pause(source, right=right, now=time.monotonic())
    return (user if right and not pause else None), math.ceil(pause)


@functools.cache
def _nobodys() -> str:
    """A hash for who is no user, so that to refuse them takes as long."""
    return generate_password_hash("nobody's")


def _same(one: str, other: str) -> bool:
    return compare_digest(one.encode(), other.encode("utf-8", "replace"))


def _asked() -> Response:
    """To the login with people, who come back from there; programs are told how."""
    if "HX-Request" in request.headers:
        return Response(status=401, headers={"HX-Redirect": f"/login?{_came_from()}"})
    if "text/html" in request.accept_mimetypes.values():
        return make_response(redirect(f"/login?{_came_from()}", 303))
    return Response("Who are you?\n", 401, {"WWW-Authenticate": 'Basic realm="Balansity", charset="UTF-8"'})


def _came_from() -> str:
    return urlencode({"next": request.full_path.rstrip("?")}) if request.method == "GET" else ""


def _closed() -> Response:
    words = "The pages are closed: set WEB_USERS to what `balansity user NAME` prints.\n"
    return Response(words, 403, mimetype="text/plain")


def _refuse_form(error: CSRFError) -> Any:
    del error
    return render_template(
        "refused.html", why=gettext("This form is too old: go back, reload the page, try again.")
    ), 400


def _harden(response: Response) -> Response:
    """Pages load nothing from elsewhere, are framed by nobody else, and are not kept."""
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; "
        "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'self'; object-src 'none'",
    )
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers.setdefault("Cache-Control", "no-store")
    return response
