"""Where finished reports are kept: in PostgreSQL, or as files wherever REPORT_STORAGE_URL leads.

For s3://bucket/folder install `balansity[s3]`.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import settings
from db import queries
from db.batches import Batches, Done, Page, Skipped, pages
from db.connection import Connection
from db.database import transaction
from errors import PermanentError, ProviderAway, RetryableError, SettingsError
from gateways import private

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

NAME = "reports"  # in balansity.provider_state
TRANSFER_SECONDS = 30  # for one file, with the repetitions of fsspec's libraries


@dataclass(frozen=True)
class ReportFile:
    """A finished report, ready to be attached or downloaded."""

    filename: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class ReportKey:
    """What makes a report this one and no other."""

    assessment_id: UUID
    format: str
    digest: str

    def __str__(self) -> str:
        return f"{self.assessment_id}:{self.format}:{self.digest}"

    @property
    def path(self) -> str:
        """Of its file, below REPORT_STORAGE_URL."""
        return f"{self.assessment_id}/{self.digest}.{self.format}"


def is_kept(conn: Connection, key: ReportKey) -> bool:
    return bool(
        queries.reports.is_kept(conn, assessment_id=str(key.assessment_id), format=key.format, digest=key.digest)
    )


def write(key: ReportKey, content: bytes) -> None:
    """Write the report's file, unless reports are kept in PostgreSQL; a repetition writes the same file.

    It comes before `save`, so that a row never points at nothing, and outside its transaction, which would stay open
    for as long as the storage takes.
    """
    if settings.current().report_storage_url:
        _write(key.path, content)


def save(conn: Connection, key: ReportKey, user_id: UUID | None, file: ReportFile, at: datetime) -> UUID | None:
    """Keep a report once; returns its id, or None if this very report is kept already."""
    is_file = bool(settings.current().report_storage_url)
    report_id = queries.reports.add(
        conn,
        assessment_id=str(key.assessment_id),
        user_id=user_id and str(user_id),
        format=key.format,
        digest=key.digest,
        filename=file.filename,
        media_type=file.media_type,
        size_bytes=len(file.content),
        content=None if is_file else file.content,
        path=key.path if is_file else None,
        at=at,
    )
    return UUID(report_id) if report_id else None


def renew(conn: Connection, key: ReportKey, file: ReportFile) -> UUID:
    """Keep a file that was made anew in the place of the one that is kept; returns the report's id."""
    renewed = queries.reports.renew(
        conn, assessment_id=str(key.assessment_id), format=key.format, digest=key.digest, content=file.content
    )
    return UUID(renewed)


def load(conn: Connection, report_id: UUID) -> ReportFile:
    """The report's file.

    Raises:
        PermanentError: no report has this id (any more), or its file is gone.
        ProviderAway: the storage fails.
    """
    row = queries.reports.find(conn, id=str(report_id))
    if row is None:
        raise PermanentError(f"There is no report {report_id}: it was removed, or never made")
    return file_of(row)


def file_of(row: Any) -> ReportFile:
    """The file of a report's row, from wherever it lies.

    Raises:
        PermanentError, ProviderAway: as `load`.
    """
    return ReportFile(row.filename, row.media_type, _read(row.path) if row.path else bytes(row.content))


def remove_of_user(user_id: str) -> Done:
    """Remove all reports about a user's family, as `remove_old` does; counts those `reports`."""
    return _remove("reports", partial(queries.reports.of_user, user_id=user_id), lambda _: True)


def remove_folders(ids: Iterable[str]) -> Done:
    """Remove what lies in the storage under these ids and has no row: a failure may keep a file and lose its row.

    Counts those `report files without a report`; reports that have rows are removed first.
    """
    done = Done()
    if settings.current().report_storage_url:
        with _storage() as (filesystem, root):
            paths = list(chain.from_iterable(filesystem.find(f"{root}/{each}") for each in ids))
        for path in paths:
            try:
                with _storage() as (filesystem, _):
                    filesystem.rm_file(path, **_limit(filesystem))
                done.counts["report files without a report"] += 1
            except ProviderAway as error:
                probe()
                done.skipped.append(Skipped(f"file {path}", error))
    return done


def remove_old(before: datetime) -> Done:
    """Remove reports that are older or whose check-up is gone, batch by batch; counts those `removed`.

    The files go first: after a failure their rows are still there, and the next run removes both.

    Raises:
        ProviderAway: the storage fails for more than a single file.
    """
    return _remove("removed", partial(queries.reports.page, before=before), lambda report: bool(report.is_old))


def _remove(what: str, page: Page, wanted: Callable[[Any], bool]) -> Done:
    """Remove those of the reports that are wanted, and count them as `what`."""

    def rows_removed(conn: Connection, report_ids: list[str]) -> dict[str, int]:
        return {what: queries.reports.remove(conn, keys=report_ids)}

    rows = Batches(transaction, "report", rows_removed)
    for found in pages(transaction, page):
        rows.take(report for report in found if wanted(report) and _file_removed(report, rows))
    return rows.done


def _file_removed(report: Any, rows: Batches) -> bool:
    """Whether a report's file is gone; one that cannot be removed, though others can, is skipped."""
    try:
        _remove_files([report.path])
    except ProviderAway as error:
        probe()
        rows.skip(report, error)
        return False
    return True


def probe() -> None:
    """Write, read and remove a file, as `balansity doctor` does to see whether reports can be kept.

    Raises:
        BalansityError, OSError: they cannot, with the reason.
    """
    path, content = f"probe-{uuid4()}", b"balansity doctor"
    _write(path, content)
    if _read(path) != content:
        raise RetryableError("The report storage gave another file back than it was given")
    _remove_files([path])


def _write(path: str, content: bytes) -> None:
    from fsspec.implementations.local import LocalFileSystem

    try:
        with _storage() as (filesystem, root):
            if isinstance(filesystem, LocalFileSystem):
                _write_locally(Path(root), path, content)
            else:
                filesystem.pipe_file(f"{root}/{path}", content, **_limit(filesystem))
    except FileNotFoundError as error:
        raise ProviderAway(f"{error}: make the place that REPORT_STORAGE_URL names, or correct the address") from None


def _write_locally(root: Path, path: str, content: bytes) -> None:
    file = root / path
    for folder in (root, *(above for above in reversed(file.parents) if above.is_relative_to(root))):
        private.make_folder(folder)
    private.write(file, content)


def _read(path: str) -> bytes:
    try:
        with _storage() as (filesystem, root):
            return bytes(filesystem.cat_file(f"{root}/{path}", **_limit(filesystem)))
    except FileNotFoundError:
        _look_for_the_place()
        raise PermanentError(f"The report {path} is gone from REPORT_STORAGE_URL: put it back there") from None


def _look_for_the_place() -> None:
    """Tell a missing report from a missing storage: a folder that is not mounted, a bucket that is not there.

    Raises:
        ProviderAway: it is the storage.
    """
    with _storage() as (filesystem, root):
        there = filesystem.exists(root.partition("/")[0] or root)  # a bucket, or a folder
    if not there:
        raise ProviderAway("The place that REPORT_STORAGE_URL names is gone: make it, or correct the address")


def _remove_files(paths: list[str | None]) -> int:
    for path in filter(None, paths):
        with suppress(FileNotFoundError), _storage() as (filesystem, root):
            filesystem.rm_file(f"{root}/{path}", **_limit(filesystem))
    return len(paths)


def _limit(filesystem: "AbstractFileSystem") -> dict[str, float]:
    """The timeout of a storage in the net; those without fsspec's asyncio are local, or have their own.

    The libraries' own do not suffice: for a server that takes a PUT and never bids to go on, aiohttp waits for ever.
    """
    return {"timeout": TRANSFER_SECONDS} if filesystem.async_impl else {}


@contextmanager
def _storage() -> Iterator[tuple["AbstractFileSystem", str]]:
    """The file system that REPORT_STORAGE_URL names, and the folder in it.

    Raises:
        FileNotFoundError: a file or a bucket is not there.
        ProviderAway: anything else goes wrong with it.
    """
    import fsspec

    url = settings.current().report_storage_url
    if not url:
        raise SettingsError("REPORT_STORAGE_URL is empty, but this report is a file: set it to where the file lies")
    try:
        filesystem, root = fsspec.url_to_fs(url, **_options(url))
    except (ImportError, ValueError) as error:  # most often the library for this kind of storage is not installed
        raise SettingsError(f"REPORT_STORAGE_URL={url.partition('://')[0]}://… cannot be used: {error}") from None
    try:
        yield filesystem, str(root)
    except FileNotFoundError:
        raise
    except Exception as error:  # each kind of storage has errors of its own; whoever called retries or shows this one
        raise ProviderAway(f"The report storage failed: {error!r}") from error


def _options(url: str) -> dict[str, Any]:
    """What fsspec needs to know beyond the address."""
    if not url.startswith("s3://"):
        return {}
    current = settings.current()
    given = {
        "endpoint_url": current.report_storage_endpoint,
        "key": current.report_storage_key,
        "secret": current.report_storage_secret,
        "client_kwargs": {"region_name": current.report_storage_region} if current.report_storage_region else None,
    }
    checksums = {"request_checksum_calculation": "when_required"}  # not every server but Amazon's knows the others
    return {name: value for name, value in given.items() if value} | {"config_kwargs": checksums}
