"""The web process: provider webhooks and pages for the clinic's staff."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import psycopg2
from babel.numbers import format_decimal
from flask import Flask, Response, current_app, g, render_template, request, url_for
from werkzeug.exceptions import NotFound

import settings
from db.trouble import explained, passes, unmigrated
from errors import BalansityError, DatabaseError, Refused
from log import DISCREET
from web import (
    access,
    assets,
    bulk,
    deliveries,
    failures,
    health,
    jobs,
    language,
    log_page,
    mails,
    messages,
    metrics,
    payments,
    people,
    plan,
    queues,
    reports,
    running,
    sendgrid_events,
    state,
    statistics,
    system,
    unsubscribe,
    words,
    yookassa_notices,
)
from web.decisions import new_form
from web.language import gettext as _
from zones import clock_time

LARGEST_REQUEST = 5_000_000  # bytes; SendGrid's batches stay below 1 MB
BLUEPRINTS = (
    *(health, system, metrics, sendgrid_events, yookassa_notices, unsubscribe, assets),
    *(state, queues, messages, bulk, running, failures),
    *(people, deliveries, reports, payments),
    *(jobs, plan, statistics, mails, log_page),
)


class Page(NamedTuple):
    """A place of the navigation."""

    name: str
    address: str
    is_current: bool


class Group(NamedTuple):
    """Places that belong together, under a heading."""

    name: str
    pages: list[Page]


def create_app() -> Flask:
    """The application, for `web.server` or any other WSGI server.

    Raises:
        SettingsError: naming all that is wrong with the settings.
    """
    settings.current()
    app = Flask(__name__)
    app.logger.addFilter(DISCREET)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_REQUEST
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_error_handler(psycopg2.Error, _explain)
    app.register_error_handler(BalansityError, _refuse)
    app.register_error_handler(NotFound, _miss)
    language.speak(app)
    access.close(app)
    for module in BLUEPRINTS:
        app.register_blueprint(module.pages)
    for open_to_all in (sendgrid_events, yookassa_notices, unsubscribe):  # which check their callers themselves
        access.csrf.exempt(open_to_all.pages)
    app.context_processor(_words)
    app.add_template_filter(words.suppression)
    return app


def navigation() -> list[Group]:
    """The pages, in groups and in the order in which a person needs them."""
    groups = {
        _("Now"): {
            "state.state": _("Overview"),
            "queues.queues": _("Queues"),
            "messages.found": _("Messages"),
            "running.running": _("Running"),
            "failures.failures": _("Failures"),
        },
        _("Families"): {
            "people.people": _("People"),
            "deliveries.deliveries": _("Deliveries"),
            "reports.reports": _("Reports"),
            "payments.payments": _("Payments"),
        },
        _("Clinic"): {
            "jobs.jobs": _("Jobs"),
            "plan.plan": _("Plan"),
            "statistics.overview": _("Numbers"),
            "mails.overview": _("Mails"),
            "log.log": _("Log"),
        },
    }
    return [Group(name, _pages(places)) for name, places in groups.items()]


def _pages(places: Mapping[str, str]) -> list[Page]:
    return [
        Page(name, url_for(endpoint), request.blueprint == endpoint.split(".")[0])
        for endpoint, name in places.items()
        if endpoint in current_app.view_functions
    ]


def _words() -> dict[str, Any]:
    """What every template may use."""
    return {
        "navigation": navigation,
        "htmx_version": assets.HTMX_VERSION,
        "new_form": new_form,
        "time_zone": settings.current().time_zone.key,
        "clock_time": _clock_time,
        "state_words": words.state,
        "message_state": words.message_state,
        "mail_words": words.mail,
        "mood_of": words.mood,
        "bulk_words": words.bulk,
        "bulk_about": words.bulk_about,
        "number": lambda value: format_decimal(value, locale=language.chosen()),
    }


def _clock_time(at: datetime) -> str:
    return clock_time(at, settings.current().time_zone)


def _refuse(error: BalansityError) -> Any:
    """What a person asked for and cannot have, in the words of whoever refused."""
    if isinstance(error, DatabaseError):
        return _away()
    why = _(error.sentence, **error.words) if isinstance(error, Refused) else str(error)
    return render_template("refused.html", why=why), 400


def _miss(error: NotFound) -> Any:
    """What is not there: in words for who has logged in, and as it comes for others."""
    return (render_template("refused.html", why=_("There is nothing here.")), 404) if g.get("user") else error


def _explain(error: psycopg2.Error) -> Response:
    """A database that is away, or without our tables, is no fault of a page's: whoever asks may come again."""
    if unmigrated(error):
        return Response(f"{explained(error)}\n", 503, mimetype="text/plain")
    if passes(error):
        return _away()
    raise error


def _away() -> Response:
    return Response("The database does not answer: try again in a minute.\n", 503, mimetype="text/plain")
