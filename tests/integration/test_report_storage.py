"""Reports as files: on a disk, and in a real S3 server; never two of the same, none left behind."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import fsspec
import pytest

import db.connection
import settings
from domain.report_formats import ReportFile
from errors import PermanentError, SettingsError
from gateways import report_storage
from gateways.report_storage import ReportKey
from tests.servers import s3

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
FILE = ReportFile("report.pdf", "application/pdf", b"%PDF-1.7 a report")


@pytest.fixture
def s3_address() -> Iterator[str]:
    with s3.running() as address:
        yield address


@pytest.fixture(params=["file", "s3"])
def storage_url(request: pytest.FixtureRequest, environment: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """REPORT_STORAGE_URL as a folder, then as a bucket."""
    url = f"file://{tmp_path}/reports"
    if request.param == "s3":
        url = f"s3://{s3.BUCKET}/{uuid4()}"
        # What FSSPEC_S3_ENDPOINT_URL sets when a process starts.
        environment.setitem(fsspec.config.conf, "s3", {"endpoint_url": request.getfixturevalue("s3_address")})
        environment.setenv("AWS_ACCESS_KEY_ID", s3.CREDENTIALS["aws_access_key_id"])
        environment.setenv("AWS_SECRET_ACCESS_KEY", s3.CREDENTIALS["aws_secret_access_key"])
    environment.setenv("REPORT_STORAGE_URL", url)
    settings.current.cache_clear()
    yield url
    fsspec.filesystem(request.param).clear_instance_cache()


def save(key: ReportKey, user_id: UUID | None = None) -> UUID | None:
    with db.connection.transaction() as conn:
        return report_storage.save(conn, key, user_id, FILE, AT)


def files(storage_url: str) -> list[str]:
    filesystem, folder = fsspec.url_to_fs(storage_url)
    filesystem.invalidate_cache()
    return [str(path) for path in filesystem.find(folder)]


def test_a_kept_report_is_read_back(storage_url: str) -> None:
    report_id = save(ReportKey(uuid4(), "pdf", "a" * 64))
    assert report_id is not None
    with db.connection.transaction() as conn:
        assert report_storage.load(conn, report_id) == FILE


def test_the_same_report_is_one_row_and_one_file(storage_url: str) -> None:
    key = ReportKey(uuid4(), "pdf", "a" * 64)
    assert save(key) is not None
    assert save(key) is None
    assert len(files(storage_url)) == 1


def test_a_report_whose_transaction_is_lost_is_kept_at_the_next_try(storage_url: str) -> None:
    key = ReportKey(uuid4(), "pdf", "a" * 64)
    conn = db.connection.connect(settings.current().database_url)
    assert report_storage.save(conn, key, None, FILE, AT) is not None
    conn.close()
    report_id = save(key)
    assert report_id is not None
    assert len(files(storage_url)) == 1


def test_removed_reports_leave_no_file(storage_url: str) -> None:
    user_id, other = uuid4(), uuid4()
    save(ReportKey(uuid4(), "pdf", "a" * 64), user_id)
    save(ReportKey(uuid4(), "csv", "b" * 64), user_id)
    save(ReportKey(uuid4(), "pdf", "c" * 64), other)
    with db.connection.transaction() as conn:
        assert report_storage.remove_of_user(conn, user_id) == 2
    assert len(files(storage_url)) == 1


def test_a_file_that_is_gone_already_does_not_stop_the_removal(storage_url: str) -> None:
    user_id = uuid4()
    save(ReportKey(uuid4(), "pdf", "a" * 64), user_id)
    filesystem, folder = fsspec.url_to_fs(storage_url)
    filesystem.rm(folder, recursive=True)
    with db.connection.transaction() as conn:
        assert report_storage.remove_of_user(conn, user_id) == 1


def test_a_report_whose_file_is_gone_is_named(storage_url: str) -> None:
    report_id = save(ReportKey(uuid4(), "pdf", "a" * 64))
    filesystem, folder = fsspec.url_to_fs(storage_url)
    filesystem.rm(folder, recursive=True)
    assert report_id is not None
    with db.connection.transaction() as conn, pytest.raises(PermanentError, match="gone from its storage"):
        report_storage.load(conn, report_id)


def test_an_unknown_kind_of_storage_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("REPORT_STORAGE_URL", "gopher://clinic/reports")
    settings.current.cache_clear()
    with pytest.raises(SettingsError, match="REPORT_STORAGE_URL=gopher://"):
        save(ReportKey(uuid4(), "pdf", "a" * 64))
