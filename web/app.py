"""The web process: provider webhooks and pages for the clinic's staff."""

import psycopg2
from flask import Flask, Response

import settings
from db.trouble import explained, unmigrated
from web import access, health, mails, sendgrid_events, state, statistics, yookassa_notices

LARGEST_REQUEST = 5_000_000  # bytes; SendGrid's batches stay below 1 MB


def create_app() -> Flask:
    """The application, for gunicorn: `gunicorn "web.app:create_app()"`.

    Raises:
        SettingsError: naming all that is wrong with the settings.
    """
    settings.current()
    app = Flask(__name__)
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
    """A database without our tables is no fault of a page's: whoever asks is told what to do, or to come again."""
    if not unmigrated(error):
        raise error
    return Response(f"{explained(error)}\n", 503, mimetype="text/plain")
