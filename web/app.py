"""The web process: provider webhooks and pages for the clinic's staff."""

import psycopg2
from flask import Flask, Response

import settings
from db.trouble import explained, passes, unmigrated
from log import DISCREET
from web import access, health, mails, sendgrid_events, state, statistics, yookassa_notices

LARGEST_REQUEST = 5_000_000  # bytes; SendGrid's batches stay below 1 MB


def create_app() -> Flask:
    """The application, for `web.server` or any other WSGI server.

    Raises:
        SettingsError: naming all that is wrong with the settings.
    """
    settings.current()
    app = Flask(__name__)
    app.logger.addFilter(DISCREET)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_REQUEST
    app.register_error_handler(psycopg2.Error, _explain)
    access.close(app)
    app.register_blueprint(health.pages)
    app.register_blueprint(sendgrid_events.pages)
    app.register_blueprint(yookassa_notices.pages)
    app.register_blueprint(mails.pages)
    app.register_blueprint(state.pages)
    app.register_blueprint(statistics.pages)
    return app


def _explain(error: psycopg2.Error) -> Response:
    """A database that is away, or without our tables, is no fault of a page's: whoever asks may come again."""
    if unmigrated(error):
        return Response(f"{explained(error)}\n", 503, mimetype="text/plain")
    if passes(error):
        return Response("The database does not answer: try again in a minute.\n", 503, mimetype="text/plain")
    raise error
