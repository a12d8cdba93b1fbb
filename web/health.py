"""Health for machines, open to all, so each says nothing else: whether we serve, and whether the database does."""

import psycopg2
from flask import Blueprint, Response, current_app
from flask.blueprints import BlueprintSetupState

from db import database
from db.database import transaction
from db.readiness import Readiness
from errors import DatabaseError

pages = Blueprint("health", __name__)


@pages.record
def _prepare(setup: BlueprintSetupState) -> None:
    setup.app.extensions["readiness"] = Readiness(database.url, database.start_options)


@pages.get("/healthz")
def lives() -> Response:
    """200 as long as this process answers: whoever restarts it for anything else does it no good."""
    return _told()


@pages.get("/readyz")
def is_ready() -> Response:
    """200 where the database can be written, as requests need it; who works beside us, and how late, is no matter."""
    readiness: Readiness = current_app.extensions["readiness"]
    return _told(readiness.problem())


@pages.get("/health")
def check() -> Response:
    """200 where the database answers, 503 where it does not."""
    try:
        with transaction() as conn, conn.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, psycopg2.Error):
        return _told("The database does not answer.")
    return _told()


def _told(problem: str | None = None) -> Response:
    return Response(f"{problem or 'Good.'}\n", 503 if problem else 200, mimetype="text/plain")
