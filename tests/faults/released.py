"""The last release out of the clone's history, and a version's processes in its own folder."""

import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import urllib3

import settings
from db.releases import Release
from tests.faults.command import PATIENCE, free_port
from tests.faults.crew import ProcessGroup
from tests.waiting import until

MODULES = (["dramatiq", "actors", "--processes", "1", "--threads", "4"], ["scheduler"], ["web.server"])


def checked_out(release: Release | None, folder: Path, clone: Path = settings.ROOT) -> Path:
    """The files of a release in a new folder; before the first release the clone's own."""
    if not release:
        return clone
    archive = subprocess.run(["git", "archive", release.commit], cwd=clone, capture_output=True, check=False)
    assert archive.returncode == 0, (
        f"db/released.json says that {release.version} is {release.commit}, which this clone has not: a shallow one "
        f"gets it by `git fetch --unshallow`. Git says: {archive.stderr.decode().strip()}"
    )
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


class Version:
    """A version of the service in its own folder, with the packages that the tests have."""

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self.root = root
        self.environment = {**os.environ, **environment, "PORT": str(free_port()), "LOG_LEVEL": "WARNING"}
        self.processes: list[ProcessGroup] = []

    def run(self, *words: str) -> None:
        """Run one of its commands."""
        subprocess.run([sys.executable, "-m", "cli", *words], cwd=self.root, env=self.environment, check=True)

    def start(self) -> None:
        """Start a worker, a scheduler and a web process, which soon finds all well."""
        self.processes += [ProcessGroup(["-m", *words], self.environment, None, self.root) for words in MODULES]
        until(lambda: self.complaints() == [], f"the version in {self.root} finds all well")

    def stop(self) -> None:
        """Let them end what they have to, as a deploy does."""
        assert self.complaints() == []
        for process in self.processes:
            process.terminate()
        assert [each.process.wait(PATIENCE) for each in self.processes] == [0] * len(MODULES)
        self.processes = []

    def kill(self) -> None:
        for process in self.processes:
            process.kill()

    def complaints(self) -> list[str]:
        """The checks that are bad, as its web process sees the whole system."""
        try:
            answer = urllib3.request("GET", f"http://127.0.0.1:{self.environment['PORT']}/health/system", retries=False)
        except urllib3.exceptions.HTTPError as error:
            return [str(error)]
        return [each["check"] for each in answer.json()["checks"] if each["verdict"] == "bad"]
