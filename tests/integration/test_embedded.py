"""The embedded server runs wherever the project was cloned to."""

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import settings
from db import embedded
from db.connection import connect
from db.migrate import migrate
from errors import DatabaseError


@pytest.fixture
def odd_folder() -> Iterator[Path]:
    """A folder with what shells, options and addresses read as something else; the server's own user may enter it."""
    folder = settings.ROOT / "var" / f"мои файлы #1 100% {os.getpid()}"
    yield folder / "postgres"
    embedded.plain(folder / "postgres").unlink()
    subprocess.run(["rm", "-rf", folder], check=True)


def test_a_folder_may_have_any_name(odd_folder: Path) -> None:
    with embedded.running(odd_folder) as url:
        assert embedded.running_url(odd_folder) == url
        migrate(url)
        conn = connect(url)
        with conn.cursor() as cursor:
            cursor.execute("SHOW data_directory")
            [(data,)] = cursor.fetchall()
        conn.close()
    assert os.path.realpath(data) == str(odd_folder)


def test_something_else_in_place_of_the_link_is_named(odd_folder: Path) -> None:
    link = embedded.plain(odd_folder)
    link.unlink()
    link.touch()
    with pytest.raises(DatabaseError, match=f"{link} has to be a link of ours to .*: remove it"):
        embedded.plain(odd_folder)
    link.unlink()
    assert embedded.plain(odd_folder) == link


def test_no_folder_on_the_way_is_opened_and_a_closed_one_is_refused_by_name() -> None:
    home = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        if os.geteuid() == 0:  # then only, the server belongs to another user
            with (
                pytest.raises(DatabaseError, match=rf"cannot pass {home} .* set DATABASE_FOLDER"),
                embedded.running(home / "work" / "postgres"),
            ):
                pass
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        home.chmod(0o711)
        before = os.umask(0o077)
        try:
            with embedded.running(home / "state" / ("long" * 25) / "postgres") as url:
                connect(url).close()
                data = home / "state" / ("long" * 25) / "postgres"
                assert (data / ".s.PGSQL.5432").is_socket()
                assert stat.S_IMODE(data.stat().st_mode) == 0o700
        finally:
            os.umask(before)
        assert stat.S_IMODE(home.stat().st_mode) == 0o711
    finally:
        embedded.plain(home / "state" / ("long" * 25) / "postgres").unlink()
        shutil.rmtree(home)
