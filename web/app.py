"""The web process: provider webhooks and pages for the clinic's staff."""

from flask import Flask

import settings
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
    access.close(app)
    app.register_blueprint(health.pages)
    app.register_blueprint(sendgrid_events.pages)
    app.register_blueprint(yookassa_notices.pages)
    app.register_blueprint(mails.pages)
    app.register_blueprint(state.pages)
    app.register_blueprint(statistics.pages)
    return app
