"""The last release out of the clone's history, and a version's processes in its own folder."""

import json
import os
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import settings
from db.releases import Release
from tests.faults.command import PATIENCE, free_port
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
        self.processes: list[subprocess.Popen[bytes]] = []

    def run(self, *words: str) -> None:
        """Run one of its commands."""
        subprocess.run([sys.executable, "-m", "cli", *words], cwd=self.root, env=self.environment, check=True)

    def start(self) -> None:
        """Start a worker, a scheduler and a web process, which soon finds all well."""
        for module in MODULES:
            command = [sys.executable, "-m", *module]
            self.processes.append(subprocess.Popen(command, cwd=self.root, env=self.environment))
        until(self.is_well, f"the version in {self.root} finds all well")

    def stop(self) -> None:
        """Let them end what they have to, as a deploy does."""
        assert self.is_well()
        for process in self.processes:
            process.terminate()
        assert [process.wait(PATIENCE) for process in self.processes] == [0] * len(MODULES)
        self.processes = []

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def is_well(self) -> bool:
        """What its web process says of the whole system."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.environment['PORT']}/health/system") as answer:
                return bool(json.load(answer)["well"])
        except OSError:
            return False
