"""What holds a person's data on disk is its owner's alone, whatever the umask."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

import settings
from gateways import private, report_storage
from mail.delivery import deliver
from mail.order import read_order


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(folder: Path) -> set[tuple[bool, int]]:
    """Each mode of a folder and of a file below it."""
    return {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in (folder, *folder.rglob("*"))}


def test_mails_and_reports_are_their_owners_alone(umask: None, environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("REPORT_STORAGE_URL", f"file://{tmp_path}/kept/reports")
    environment.setenv("EMAIL_OUTBOX_DIR", str(tmp_path / "sent" / "outbox"))
    settings.current.cache_clear()
    order = {"to": "a@example.com", "subject": "s", "template": "report_ready", "variables": {"name": "Анна"}}
    deliver(read_order(order), "m1")
    assert modes(tmp_path / "sent" / "outbox") == {(True, 0o700), (False, 0o600)}
    report_storage._write("2026/a/report.pdf", b"%PDF")
    assert report_storage._read("2026/a/report.pdf") == b"%PDF"
    assert modes(tmp_path / "kept" / "reports") == {(True, 0o700), (False, 0o600)}


def test_no_link_that_waits_in_a_shared_folder_is_followed(tmp_path: Path) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "shared"
    victim.write_text("whole")
    folder.mkdir()
    path = folder / "mail.eml"
    for waiting in (path, path.with_suffix(".partial"), path.with_suffix(f".{os.getpid()}.partial")):
        waiting.symlink_to(victim)
    private.write(path, b"a mail")
    assert (path.read_text(), path.is_symlink()) == ("a mail", False)
    log = folder / "worker.log"
    log.symlink_to(victim)
    with pytest.raises(OSError, match="symbolic"):
        private.create(log)
    assert victim.read_text() == "whole"
