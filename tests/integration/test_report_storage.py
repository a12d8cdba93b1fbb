"""Reports as files: on a disk, and in a real S3 server; never two of the same, none left behind."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from uuid import UUID, uuid4

import fsspec
import pytest
from click.testing import CliRunner

import cli
import db.connection
import settings
from actors.reports import generate_report
from db.connection import Connection
from errors import PermanentError, ProviderAway, RetryableError, SettingsError
from gateways import report_storage
from gateways.report_storage import ReportFile, ReportKey
from mail.letter import write
from mail.order import MailOrder
from tests.clinic import Clinic
from tests.integration.report_cases import completed_checkup, kept, mails
from tests.servers import s3

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
FILE = ReportFile("report.pdf", "application/pdf", b"%PDF-1.7 a report")


@pytest.fixture
def s3_address() -> Iterator[str]:
    with s3.running() as address:
        yield address


@pytest.fixture(params=["file", "s3"])
def storage(request: pytest.FixtureRequest, environment: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Reports go to a folder, then to a bucket, as a file .env says."""
    lines = {"REPORT_STORAGE_URL": f"file://{tmp_path}/reports"}
    if request.param == "s3":
        lines = s3.settings(request.getfixturevalue("s3_address"))
    yield set_env_file(environment, tmp_path, lines)
    fsspec.filesystem(request.param).clear_instance_cache()


def set_env_file(environment: pytest.MonkeyPatch, folder: Path, lines: dict[str, str]) -> Path:
    """Write the file .env that this process reads its settings from."""
    path = folder / ".env"
    path.write_text("".join(f"{name}={value}\n" for name, value in lines.items()), encoding="utf-8")
    environment.setenv("ENV_FILE", str(path))
    settings.current.cache_clear()
    return path


def save(key: ReportKey, user_id: UUID | None = None) -> UUID | None:
    report_storage.write(key, FILE.content)
    with db.database.transaction() as conn:
        return report_storage.save(conn, key, user_id, FILE, AT)


def files() -> list[str]:
    with report_storage._storage() as (filesystem, folder):
        filesystem.invalidate_cache()
        return [str(path) for path in filesystem.find(folder)]


def remove_every_file() -> None:
    with report_storage._storage() as (filesystem, folder):
        for path in filesystem.find(folder):
            filesystem.rm_file(path)


def test_a_kept_report_is_read_back(storage: Path) -> None:
    report_id = save(ReportKey(uuid4(), "pdf", "a" * 64))
    assert report_id is not None
    with db.database.transaction() as conn:
        assert report_storage.load(conn, report_id) == FILE


def test_the_same_report_is_one_row_and_one_file(storage: Path) -> None:
    key = ReportKey(uuid4(), "pdf", "a" * 64)
    assert save(key) is not None
    assert save(key) is None
    assert len(files()) == 1


def test_a_report_whose_transaction_is_lost_is_kept_at_the_next_try(storage: Path) -> None:
    key = ReportKey(uuid4(), "pdf", "a" * 64)
    report_storage.write(key, FILE.content)
    conn = db.connection.connect(settings.current().database_url)
    assert report_storage.save(conn, key, None, FILE, AT) is not None
    conn.close()
    report_id = save(key)
    assert report_id is not None
    assert len(files()) == 1


def test_removed_reports_leave_no_file(storage: Path) -> None:
    user_id, other = uuid4(), uuid4()
    save(ReportKey(uuid4(), "pdf", "a" * 64), user_id)
    save(ReportKey(uuid4(), "csv", "b" * 64), user_id)
    save(ReportKey(uuid4(), "pdf", "c" * 64), other)
    assert report_storage.remove_of_user(str(user_id)).counts == {"reports": 2}
    assert len(files()) == 1


def test_a_file_that_is_gone_already_does_not_stop_the_removal(storage: Path) -> None:
    user_id = uuid4()
    save(ReportKey(uuid4(), "pdf", "a" * 64), user_id)
    remove_every_file()
    assert report_storage.remove_of_user(str(user_id)).counts == {"reports": 1}


def test_a_file_that_cannot_be_removed_holds_up_no_other_report(
    environment: pytest.MonkeyPatch, tmp_path: Path, connection: Connection
) -> None:
    folder = tmp_path / "reports"
    set_env_file(environment, tmp_path, {"REPORT_STORAGE_URL": f"file://{folder}"})
    for number in range(5):
        save(ReportKey(uuid4(), "pdf", f"{number}" * 64))
    with connection.cursor() as cursor:
        cursor.execute("SELECT path, id::text FROM balansity.report ORDER BY id LIMIT 1")  # the first to be removed
        [(path, report_id)] = cursor.fetchall()
    (folder / path).unlink()
    (folder / path).mkdir()  # what cannot be removed as a file
    done = report_storage.remove_old(datetime.now(UTC))
    assert (done.counts["removed"], done.note()) == (4, f"; 1 skipped: report {report_id} (ProviderAway)")
    (folder / path).rmdir()
    assert report_storage.remove_old(datetime.now(UTC)).counts["removed"] == 1


def test_no_report_is_forgotten_while_its_storage_is_away(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    set_env_file(environment, tmp_path, {"REPORT_STORAGE_URL": f"file://{folder}"})
    reports = [save(ReportKey(uuid4(), "pdf", f"{number}" * 64)) for number in range(3)]
    folder.rename(tmp_path / "elsewhere")
    folder.write_text("no folder any more")
    with pytest.raises(ProviderAway):
        report_storage.remove_old(datetime.now(UTC))
    folder.unlink()
    (tmp_path / "elsewhere").rename(folder)
    assert report_storage.remove_old(datetime.now(UTC)).counts["removed"] == len(reports)


def test_a_report_whose_file_is_gone_is_named(storage: Path) -> None:
    report_id = save(ReportKey(uuid4(), "pdf", "a" * 64))
    remove_every_file()
    assert report_id is not None
    with db.database.transaction() as conn, pytest.raises(PermanentError, match="gone from REPORT_STORAGE_URL"):
        report_storage.load(conn, report_id)


def test_a_missing_storage_is_not_a_missing_report(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_env_file(environment, tmp_path, {"REPORT_STORAGE_URL": f"file://{tmp_path}/mounted/reports"})
    report_id = save(ReportKey(uuid4(), "pdf", "a" * 64))
    assert report_id is not None
    (tmp_path / "mounted").rename(tmp_path / "unmounted")
    with db.database.transaction() as conn, pytest.raises(ProviderAway, match="REPORT_STORAGE_URL"):
        report_storage.load(conn, report_id)


def test_a_bucket_that_is_not_there_is_the_storages_fault(
    environment: pytest.MonkeyPatch, tmp_path: Path, s3_address: str
) -> None:
    lines = s3.settings(s3_address)
    set_env_file(environment, tmp_path, lines | {"REPORT_STORAGE_URL": "s3://no-such-bucket/reports"})
    with pytest.raises(ProviderAway, match="REPORT_STORAGE_URL"):
        save(ReportKey(uuid4(), "pdf", "a" * 64))
    fsspec.filesystem("s3").clear_instance_cache()


def test_a_password_in_the_address_is_not_kept_and_not_said(
    environment: pytest.MonkeyPatch, tmp_path: Path, connection: Connection
) -> None:
    set_env_file(environment, tmp_path, {"REPORT_STORAGE_URL": f"memory://clinic:hunter2@{tmp_path.name}/reports"})
    report_id = save(ReportKey(uuid4(), "pdf", "a" * 64))
    assert report_id is not None
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM balansity.report r WHERE r::text LIKE '%%hunter2%%'")
        assert cursor.fetchall() == [(0,)]
    remove_every_file()
    with db.database.transaction() as conn, pytest.raises((PermanentError, ProviderAway)) as gone:
        report_storage.load(conn, report_id)
    assert "hunter2" not in str(gone.value)


def test_a_report_that_is_a_file_asks_for_its_storage_when_the_setting_is_gone(storage: Path) -> None:
    report_id = save(ReportKey(uuid4(), "pdf", "a" * 64))
    storage.write_text("", encoding="utf-8")
    settings.current.cache_clear()
    assert report_id is not None
    with db.database.transaction() as conn, pytest.raises(SettingsError, match="REPORT_STORAGE_URL is empty"):
        report_storage.load(conn, report_id)


def test_doctor_tries_the_storage_and_leaves_nothing_there(storage: Path) -> None:
    said = CliRunner().invoke(cli.main, ["doctor"]).output
    assert "Report storage: a file was written, read and removed." in said
    assert files() == []


def test_doctor_names_a_bucket_that_is_not_there(
    environment: pytest.MonkeyPatch, tmp_path: Path, s3_address: str
) -> None:
    set_env_file(environment, tmp_path, s3.settings(s3_address) | {"REPORT_STORAGE_URL": "s3://misspelt/reports"})
    said = CliRunner().invoke(cli.main, ["doctor"])
    assert said.exit_code == 1
    assert "Reports cannot be kept: The specified bucket does not exist" in said.output


@pytest.fixture
def silent_server(connect: Callable[[], Connection]) -> Iterator[tuple[str, list[int]]]:
    """A server that takes requests and never answers: its address, and at each request how many transactions idle."""
    idle: list[int] = []
    clinic = Clinic(connect())
    count = (
        "SELECT count(*)::int FROM pg_stat_activity "
        "WHERE datname = current_database() AND state = 'idle in transaction'"
    )

    def take() -> None:
        with ExitStack() as clients, suppress(OSError):  # until it is closed
            while client := listener.accept()[0]:
                clients.enter_context(client)
                idle.append(clinic.value(count))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=take)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", idle
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_storage_that_never_answers_is_given_up_and_holds_no_transaction(
    clinic: Clinic, environment: pytest.MonkeyPatch, tmp_path: Path, silent_server: tuple[str, list[int]]
) -> None:
    address, idle = silent_server
    set_env_file(environment, tmp_path, s3.settings(address))
    environment.setattr(report_storage, "TRANSFER_SECONDS", 2)
    assessment_id = completed_checkup(clinic, clinic.add_user())
    with pytest.raises(RetryableError, match="The report storage failed: FSTimeoutError"):
        generate_report(assessment_id=assessment_id)
    assert not any(idle)
    assert kept(clinic, assessment_id) == []


def test_a_report_and_its_mail_go_by_way_of_the_bucket_that_the_settings_name(
    clinic: Clinic, environment: pytest.MonkeyPatch, tmp_path: Path, s3_address: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        environment.delenv(name, raising=False)
    set_env_file(environment, tmp_path, s3.settings(s3_address))
    assessment_id = completed_checkup(clinic, clinic.add_user())
    generate_report(assessment_id=assessment_id)
    [order] = mails(clinic)
    with db.database.transaction() as conn:
        letter = write(conn, MailOrder.model_validate(order))
    [attached] = letter.attachments
    assert attached.content.startswith(b"%PDF-")
    assert [path.rpartition("/")[2] for path in files()] == [order["key"].rpartition(":")[2] + ".pdf"]
