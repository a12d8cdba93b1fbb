"""The health check: whether this process reaches its database; open to all, so it says nothing else."""

import psycopg2
from flask import Blueprint, Response

from db.database import transaction
from errors import DatabaseError

pages = Blueprint("health", __name__)


@pages.get("/health")
def check() -> Response:
    """200 where the database answers, 503 where it does not."""
    try:
        with transaction() as conn, conn.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, psycopg2.Error):
        return Response("The database does not answer.\n", 503, mimetype="text/plain")
    return Response("Good.\n", mimetype="text/plain")
