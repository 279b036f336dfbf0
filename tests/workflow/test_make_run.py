"""`make run`: one run at a time on these results, and a run that was killed is simply started again."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from workflow_clone import ROOT, Clone, add_small_experiment, without_gpu

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.skipif(not shutil.which("make") or not shutil.which("flock"), reason="needs make and flock"),
]

TARGET = "results/small/metadata/sae.json"
READY = ".venv/.ready"
PATIENCE_S = 120


# the environment of these tests in place of one that make would set up
MAKE_RUN = ["make", "-f", str(ROOT / "Makefile"), "-o", READY, f"BIN={Path(sys.executable).parent}"]
COMMAND = [*MAKE_RUN, "run", f"TARGET={TARGET}"]


def coordinator(clone: Clone) -> int | None:
    """Process id of the Snakemake that coordinates a run in this clone and has locked it."""
    if not list((clone / ".snakemake/locks").glob("*")):
        return None
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            here = (process / "cwd").resolve() == clone.folder.resolve()
        except OSError:
            continue
        if here and any(part.endswith(b"/snakemake") for part in command[:2]) and b"--unlock" not in command:
            return int(process.name)
    return None


def test_a_killed_run_is_started_again_and_a_second_one_at_once_is_refused(clone: Clone) -> None:
    add_small_experiment(clone)
    first = subprocess.Popen(
        COMMAND, cwd=clone.folder, env=without_gpu(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + PATIENCE_S
    while (pid := coordinator(clone)) is None:
        assert first.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    os.kill(pid, signal.SIGSTOP)
    second = subprocess.run(COMMAND, cwd=clone.folder, env=without_gpu(), capture_output=True, text=True)
    os.kill(pid, signal.SIGKILL)
    assert second.returncode != 0
    assert "another make run works on results/: wait for it, or stop it" in second.stderr
    assert first.wait(PATIENCE_S) != 0
    assert list((clone / ".snakemake/locks").glob("*")), "the killed run left no lock"
    third = subprocess.run(COMMAND, cwd=clone.folder, env=without_gpu(), capture_output=True, text=True)
    assert third.returncode == 0, third.stdout + third.stderr
    assert (clone / TARGET).exists()
