"""Installs pgmq: the extension where the server offers it, else the SQL that PyPI's pgmq ships."""

from typing import Any

from pgmq.install import get_embedded_install_sql
from yoyo import step


def install_pgmq(connection: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("SELECT to_regclass('pgmq.meta') IS NOT NULL")
    if cursor.fetchone()[0]:
        return
    cursor.execute("SELECT count(*) FROM pg_available_extensions WHERE name = 'pgmq'")
    offered = cursor.fetchone()[0] == 1
    cursor.execute("CREATE EXTENSION pgmq" if offered else get_embedded_install_sql())


steps = [step(install_pgmq)]
