"""A Slurm of its own on this machine: controller, one node with stand-in GPUs, and accounting where asked for.

The GPUs are files that nobody reads: Slurm hands them out like real ones, and jobs see none.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TextIO

from accounting import Accounting, missing_programs

CONFIGURATION = Path("/etc/slurm")  # the job step looks nowhere else
MARK = "# written by tests/slurm/one_machine.py"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol")
CLUSTER = "one_machine"
PATIENCE_S = 60
MEMORY_MB = 1_000_000  # as it says, whatever the machine has: the rules ask for what large models need
GPUS = 4
CPUS_PER_CORE = 2  # jobs of the demo mostly start and end
LOCK = Path("/run/lock/one_machine_slurm")  # held while a Slurm of ours runs
REQUEUE_DELAY_S = 10  # a job put back into the queue waits as long as a credential is valid

Job = dict[str, str]
"""What scontrol says of a job."""

SLURM_CONF = """\
{mark}
ClusterName={cluster}
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmdParameters=config_overrides
AuthType=auth/munge
AuthInfo=cred_expire={requeue_delay_s}
SchedulerParameters=batch_sched_delay=0,sched_interval=1
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
ReturnToService=0
MinJobAge=36000
KillWait=5
InactiveLimit=0
{accounting}
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill,NoShared
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory_mb} Gres=gpu:{gpus} State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes={host} Default=NO MaxTime=INFINITE State=UP
"""

WITHOUT_ACCOUNTING = "AccountingStorageType=accounting_storage/none"
WITH_ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoreFlags=job_comment
AccountingStorageTRES=gres/gpu"""


def why_not(*, accounting: bool = False) -> str | None:
    """Why no Slurm can be started here, in one sentence; None where one can."""
    if os.geteuid() != 0:
        return "a Slurm can only be started as root"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian: apt-get install slurmctld slurmd slurm-client munge)"
    if accounting and (missing := missing_programs()):
        return f"not installed: {', '.join(missing)} (Debian: apt-get install slurmdbd mariadb-server)"
    written = CONFIGURATION / "slurm.conf"
    if written.exists() and not written.read_text(encoding="utf-8").startswith(MARK):
        return f"this machine has a Slurm of its own: {written} is not ours, and stays as it is"
    return None


class OneMachine:
    """The daemons, from ``start`` to ``stop``; ``folder`` holds their state, logs and process ids."""

    def __init__(self, folder: Path, *, accounting: bool = False) -> None:
        self.folder = folder
        self.accounting = Accounting(folder, configuration=CONFIGURATION, cluster=CLUSTER) if accounting else None
        self.host = socket.gethostname().split(".")[0]
        self._munged: subprocess.Popen[bytes] | None = None
        self._lock: TextIO | None = None

    def start(self) -> None:
        """Write the configuration, start munged, slurmctld and slurmd, and wait until the node is idle.

        Where another checkout's tests run a Slurm here, that one ends first.
        """
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for gpu in range(GPUS):
            (self.folder / f"gpu{gpu}").touch()
        CONFIGURATION.mkdir(exist_ok=True)
        lock = LOCK.open("w", encoding="utf-8")
        fcntl.flock(lock, fcntl.LOCK_EX)
        self._lock = lock
        end_leftovers()
        text = SLURM_CONF.format(
            mark=MARK,
            cluster=CLUSTER,
            accounting=WITH_ACCOUNTING if self.accounting else WITHOUT_ACCOUNTING,
            host=self.host,
            folder=self.folder,
            cpus=CPUS_PER_CORE * max(2, os.cpu_count() or 1),
            gpus=GPUS,
            memory_mb=MEMORY_MB,
            requeue_delay_s=REQUEUE_DELAY_S,
        )
        (CONFIGURATION / "slurm.conf").write_text(text, encoding="utf-8")
        gpus = "".join(f"Name=gpu File={self.folder}/gpu{gpu}\n" for gpu in range(GPUS))
        (CONFIGURATION / "gres.conf").write_text(gpus, encoding="utf-8")
        (CONFIGURATION / "cgroup.conf").write_text("CgroupAutomount=no\n", encoding="utf-8")
        self._start_munge()
        if self.accounting is not None:
            self.accounting.start()
        self.start_controller()
        subprocess.run(["slurmd"], check=True)
        self.wait_for_node("idle")

    def start_controller(self) -> None:
        """Start slurmctld, which goes to the background by itself; it goes on from its saved state."""
        subprocess.run(["slurmctld"], check=True)

    def stop_controller(self) -> None:
        """Stop slurmctld; running jobs run on."""
        end_daemon(self.folder / "slurmctld.pid")

    def wait_for_node(self, *states: str) -> None:
        """Wait until the node is in one of these states."""
        end = time.monotonic() + PATIENCE_S
        while (state := self.node_state()) not in states:
            if time.monotonic() > end:
                raise TimeoutError(f"the node is {state!r}, not {' or '.join(states)}; see {self.folder}/*.log")
            time.sleep(0.5)

    def set_node(self, state: str) -> None:
        """Set the node ``down``, or ``resume`` it."""
        _said("scontrol", "update", f"nodename={self.host}", f"state={state}", "reason=test")

    def node_state(self) -> str:
        """What sinfo says of the node, such as ``idle``."""
        return _said("sinfo", "--noheader", "--nodes", self.host, "--format=%T").split("\n")[0].strip("*~#!%$@+^-")

    def jobs(self, folder: Path) -> list[Job]:
        """The jobs submitted from a folder in their order, ended ones too, as scontrol prints them."""
        text = _said("scontrol", "--oneliner", "show", "job")
        found = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in text.splitlines() if line.startswith("JobId=")]
        return sorted((job for job in found if job["WorkDir"] == str(folder)), key=lambda job: int(job["JobId"]))

    def cancel(self, job: Job) -> None:
        """End a job as its owner would."""
        _said("scancel", job["JobId"])

    def limit_time(self, job: Job, *, minutes: int) -> None:
        """Set the time limit of a job that runs; counted from its start, so that it may be over at once."""
        _said("scontrol", "update", f"jobid={job['JobId']}", f"timelimit={minutes}")

    def signal(self, job: Job, name: str) -> None:
        """Send a signal such as ``STOP`` to what a job computes."""
        _said("scancel", f"--signal={name}", job["JobId"])

    def stop(self) -> None:
        """End what was started, by process id, and take the configuration away."""
        if self._lock is None:
            return
        if shutil.which("scancel") and (self.folder / "slurmctld.pid").exists():
            subprocess.run(["scancel", "--user=root"], check=False)
            self._wait_for_the_last_job()
        for name in ("slurmd.pid", "slurmctld.pid"):
            end_daemon(self.folder / name)
        for pid in processes_of_jobs(self.folder.parent):
            os.kill(pid, signal.SIGKILL)
        if self.accounting is not None:
            self.accounting.stop()
        if self._munged is not None:
            self._munged.terminate()
            self._munged.wait()
        for name in ("slurm.conf", "gres.conf", "cgroup.conf"):
            (CONFIGURATION / name).unlink(missing_ok=True)
        self._lock.close()

    def _wait_for_the_last_job(self) -> None:
        """Wait until no process of a job is left: without slurmd nobody would end a job that stands still."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            left = subprocess.run(["squeue", "--noheader"], capture_output=True, text=True, check=False)
            if left.returncode != 0 or not left.stdout.strip():
                return
            time.sleep(0.5)

    def _start_munge(self) -> None:
        if subprocess.run(["munge", "--no-input"], capture_output=True, check=False).returncode == 0:
            return
        for name in ("/run/munge", "/var/lib/munge", "/var/log/munge", "/etc/munge"):
            Path(name).mkdir(exist_ok=True)
            shutil.chown(name, "munge", "munge")
        key = Path("/etc/munge/munge.key")
        if not key.exists():
            key.write_bytes(os.urandom(128))
            shutil.chown(key, "munge", "munge")
            key.chmod(0o400)
        with (self.folder / "munged.log").open("ab") as log:
            self._munged = subprocess.Popen(
                ["munged", "--foreground"], stdout=log, stderr=log, user="munge", group="munge", extra_groups=[]
            )
        end = time.monotonic() + PATIENCE_S
        while subprocess.run(["munge", "--no-input"], capture_output=True, check=False).returncode != 0:
            if time.monotonic() > end:
                raise TimeoutError("munged does not answer; see /var/log/munge")
            time.sleep(0.2)


def end_daemon(pid_file: Path) -> None:
    """End what wrote this file, where it still runs."""
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text(encoding="utf-8"))
    name = Path(f"/proc/{pid}/comm")
    if not name.exists() or name.read_text(encoding="utf-8").strip() != pid_file.stem:
        return
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + PATIENCE_S
    while name.exists() and time.monotonic() < end:
        time.sleep(0.1)


def end_leftovers() -> None:
    """End the daemons of tests that were killed before they could: their configuration is still there."""
    configuration = CONFIGURATION / "slurm.conf"
    if configuration.exists():
        for pid_file in re.findall(r"^Slurm\w+PidFile=(.+)$", configuration.read_text(encoding="utf-8"), re.MULTILINE):
            end_daemon(Path(pid_file))


def processes_of_jobs(folder: Path) -> list[int]:
    """Processes of jobs submitted from below a folder that have outlived them, by what they were started with.

    Slurm without cgroups loses sight of a process whose parents are gone.
    """
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            started_with = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        of_job = any(entry.startswith(b"SLURM_JOB_ID=") for entry in started_with)
        if of_job and any(entry.startswith(f"PWD={folder}/".encode()) for entry in started_with):
            found.append(int(process.name))
    return found


def _said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
