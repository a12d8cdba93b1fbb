"""Where finished reports are kept: in PostgreSQL, or as files wherever REPORT_STORAGE_URL leads.

For s3://bucket/folder install `balansity[s3]`; its library reads AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for
Supabase Storage and other servers than Amazon's, FSSPEC_S3_ENDPOINT_URL.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case

import settings
from db import queries
from domain.report_formats import ReportFile
from errors import PermanentError, SettingsError

reports = queries.load("reports")


@dataclass(frozen=True)
class ReportKey:
    """What makes a report this one and no other."""

    assessment_id: UUID
    format: str
    digest: str

    def location(self, storage_url: str) -> str | None:
        return f"{storage_url.rstrip('/')}/{self.assessment_id}/{self.digest}.{self.format}" if storage_url else None


def save(conn: Connection, key: ReportKey, user_id: UUID | None, file: ReportFile, at: datetime) -> UUID | None:
    """Keep a report once; returns its id, or None if this very report is kept already.

    The file is written before the row commits: a row never points at nothing, and a repetition writes the same file.
    """
    location = key.location(settings.current().report_storage_url)
    report_id = reports.add(
        conn,
        assessment_id=str(key.assessment_id),
        user_id=user_id and str(user_id),
        format=key.format,
        digest=key.digest,
        filename=file.filename,
        media_type=file.media_type,
        size_bytes=len(file.content),
        content=None if location else file.content,
        location=location,
        at=at,
    )
    if report_id and location:
        _write(location, file.content)
    return UUID(report_id) if report_id else None


def load(conn: Connection, report_id: UUID) -> ReportFile:
    """The report's file.

    Raises:
        PermanentError: no report has this id (any more), or its file is gone.
    """
    row = reports.find(conn, id=str(report_id))
    if row is None:
        raise PermanentError(f"There is no report {report_id}: it was removed, or never made")
    filename, media_type, content, location = row
    return ReportFile(filename, media_type, _read(location) if location else bytes(content))


def remove_of_user(conn: Connection, user_id: UUID) -> int:
    """Remove all reports about a user's family; returns how many."""
    return _remove_files([location for (location,) in reports.remove_of_user(conn, user_id=str(user_id))])


def remove_folders(ids: Iterable[str]) -> int:
    """Remove what lies in the storage under these ids and has no row: a failure may keep a file and lose its row."""
    removed = 0
    if storage_url := settings.current().report_storage_url:
        for each in ids:
            filesystem, folder = _open(f"{storage_url}/{each}")
            for path in filesystem.find(folder):
                filesystem.rm_file(path)
                removed += 1
    return removed


def remove_old(conn: Connection, before: datetime) -> int:
    """Remove reports that are older or whose check-up is gone; returns how many."""
    return _remove_files([location for (location,) in reports.remove_old(conn, before=before)])


def _write(location: str, content: bytes) -> None:
    filesystem, path = _open(location)
    if isinstance(filesystem, LocalFileSystem):  # object stores have no folders to make
        filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)
    filesystem.pipe_file(path, content)


def _read(location: str) -> bytes:
    filesystem, path = _open(location)
    try:
        return bytes(filesystem.cat_file(path))
    except FileNotFoundError:
        raise PermanentError(f"The report at {location} is gone from its storage: put it back there") from None


def _remove_files(locations: list[str | None]) -> int:
    """Remove the files of rows that are being removed: first the files, so that a failure keeps the rows."""
    for location in filter(None, locations):
        filesystem, path = _open(location)
        if filesystem.exists(path):
            filesystem.rm_file(path)
    return len(locations)


def _open(location: str) -> tuple[AbstractFileSystem, str]:
    try:
        filesystem, path = fsspec.url_to_fs(location)
    except (ImportError, ValueError) as error:  # no such kind of storage, or its library is not installed
        raise SettingsError(f"REPORT_STORAGE_URL={location.partition('://')[0]}://… cannot be used: {error}") from None
    return filesystem, str(path)
