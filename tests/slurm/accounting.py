"""An accounting database for a Slurm of its own: MariaDB and slurmdbd."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

PROGRAMS = ("slurmdbd", "mariadbd", "mariadb-install-db", "mariadb", "sacctmgr")
PATIENCE_S = 60
PORT = 16_819

SLURMDBD_CONF = """\
AuthType=auth/munge
DbdHost=localhost
DbdAddr=127.0.0.1
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={port}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_accounting
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
"""
TABLES = """\
CREATE DATABASE slurm_accounting;
CREATE USER slurm@127.0.0.1 IDENTIFIED BY 'slurm';
GRANT ALL ON slurm_accounting.* TO slurm@127.0.0.1;
"""


def missing_programs() -> list[str]:
    """What is not installed of what accounting needs."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


class Accounting:
    """The database and its daemon; ``configuration`` is the folder of slurm.conf, which is there already."""

    def __init__(self, folder: Path, *, configuration: Path, cluster: str) -> None:
        self.folder = folder
        self.settings = configuration / "slurmdbd.conf"
        self.cluster = cluster
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Make an empty database, start both daemons, and tell them of the cluster."""
        data, socket = self.folder / "database", self.folder / "mariadb.socket"
        server = ["--no-defaults", f"--datadir={data}", "--user=root"]
        self._run("mariadb-install-db", *server, "--auth-root-authentication-method=normal", "--skip-test-db")
        addresses = [f"--socket={socket}", f"--port={PORT}", "--bind-address=127.0.0.1", "--skip-name-resolve"]
        self._start("mariadbd", *server, *addresses)
        client = ["mariadb", "--no-defaults", f"--socket={socket}", "--user=root"]
        wait_until(lambda: succeeds(*client, "--execute=SELECT 1"))
        self._run(*client, f"--execute={TABLES}")
        self.settings.write_text(SLURMDBD_CONF.format(folder=self.folder, port=PORT), encoding="utf-8")
        self.settings.chmod(0o600)
        self._start("slurmdbd", "-D")
        wait_until(lambda: succeeds("sacctmgr", "--immediate", "add", "cluster", self.cluster))

    def stop(self) -> None:
        """End both, the daemon before its database."""
        for process in reversed(self._started):
            process.terminate()
            process.wait()
        self.settings.unlink(missing_ok=True)

    def _run(self, *command: str) -> None:
        with (self.folder / "accounting.log").open("ab") as log:
            subprocess.run(command, check=True, stdout=log, stderr=log)

    def _start(self, *command: str) -> None:
        with (self.folder / "accounting.log").open("ab") as log:
            self._started.append(subprocess.Popen(command, stdout=log, stderr=log, env=os.environ))


def succeeds(*command: str) -> bool:
    """Whether a command ends well."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the accounting database does not answer")
        time.sleep(0.5)
