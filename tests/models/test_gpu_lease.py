"""Jobs on one machine with several GPUs take different ones."""

import fcntl
import multiprocessing
import os
import signal
import time

import pytest

from coactivation_manifolds.errors import StorageError
from coactivation_manifolds.models.gpu_lease import VISIBLE, lease_gpus, lock_folder, visible_gpus

PATIENCE = 30.0
fork = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def two_gpus(monkeypatch):
    monkeypatch.setenv(VISIBLE, "0,1")


def hold(folder, took, release, n_gpus, visible):
    os.environ[VISIBLE] = visible
    with lease_gpus(n_gpus, device="cuda", folder=folder) as taken:
        took.put((taken, os.environ[VISIBLE]))
        release.wait(PATIENCE)


def start(folder, took, release, *, n_gpus=1, visible="0,1"):
    job = fork.Process(target=hold, args=(folder, took, release, n_gpus, visible))
    job.start()
    return job


def wait_until_one_chooses(folder):
    end = time.monotonic() + PATIENCE
    with (folder / "choosing").open("rb+") as choosing:
        while time.monotonic() < end:
            try:
                fcntl.flock(choosing, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            fcntl.flock(choosing, fcntl.LOCK_UN)
            time.sleep(0.01)
    raise TimeoutError


def test_jobs_take_different_gpus_and_the_third_waits(tmp_path):
    took, release, last = fork.Queue(), fork.Event(), fork.Event()
    last.set()
    jobs = [start(tmp_path, took, release) for _ in range(2)]
    taken = sorted(took.get(timeout=PATIENCE) for _ in jobs)
    assert taken == [(["0"], "0"), (["1"], "1")]
    third = start(tmp_path, took, last)
    third.join(0.3)
    assert third.is_alive() and took.empty()
    release.set()
    assert took.get(timeout=PATIENCE)[0] in (["0"], ["1"])
    for job in (*jobs, third):
        job.join(PATIENCE)
        assert job.exitcode == 0


def test_a_killed_job_leaves_its_gpu_free(tmp_path):
    took, release = fork.Queue(), fork.Event()
    job = start(tmp_path, took, release)
    assert took.get(timeout=PATIENCE)[0] == ["0"]
    os.kill(job.pid, signal.SIGKILL)
    job.join(PATIENCE)
    with lease_gpus(1, device="auto", folder=tmp_path) as taken:
        assert taken == ["0"]


def test_a_large_job_is_not_passed_by_a_small_one(tmp_path):
    took, release, then, last = fork.Queue(), fork.Event(), fork.Event(), fork.Event()
    last.set()
    four = "0,1,2,3"
    first = start(tmp_path, took, release, n_gpus=2, visible=four)
    assert took.get(timeout=PATIENCE)[0] == ["0", "1"]
    large = start(tmp_path, took, then, n_gpus=3, visible=four)
    wait_until_one_chooses(tmp_path)
    small = start(tmp_path, took, last, n_gpus=2, visible=four)
    small.join(0.3)
    assert small.is_alive() and took.empty(), "two GPUs are free, but the job of three is first in line"
    release.set()
    assert len(took.get(timeout=PATIENCE)[0]) == 3
    small.join(0.3)
    assert small.is_alive() and took.empty()
    then.set()
    assert len(took.get(timeout=PATIENCE)[0]) == 2
    for job in (first, large, small):
        job.join(PATIENCE)
        assert job.exitcode == 0


@pytest.mark.parametrize(
    ("n_gpus", "device", "visible"),
    [
        (0, "auto", "0,1"),
        (1, "cpu", "0,1"),
        (1, "cuda:1", "0,1"),
        (1, "auto", "1"),
        (2, "auto", "0,1"),
        (1, "auto", ""),
    ],
)
def test_what_is_settled_elsewhere_stays(tmp_path, monkeypatch, n_gpus, device, visible):
    monkeypatch.setenv(VISIBLE, visible)
    with lease_gpus(n_gpus, device=device, folder=tmp_path) as taken:
        assert taken == []
        assert os.environ[VISIBLE] == visible
    assert list(tmp_path.iterdir()) == []


def test_the_environment_is_given_back(tmp_path, monkeypatch):
    with lease_gpus(1, device="auto", folder=tmp_path):
        assert os.environ[VISIBLE] == "0"
    assert os.environ[VISIBLE] == "0,1"


def test_all_gpus_of_the_machine_where_none_are_named(tmp_path, monkeypatch):
    monkeypatch.delenv(VISIBLE)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus() == []
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\necho GPU-11aa\necho GPU-22bb\n", encoding="utf-8")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin{os.pathsep}/usr/bin")
    with lease_gpus(1, device="auto", folder=tmp_path) as taken:
        assert taken == ["GPU-11aa"]
        assert os.environ[VISIBLE] == "GPU-11aa"
    assert VISIBLE not in os.environ


def test_a_lock_folder_that_is_a_link_is_refused(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = lock_folder()
    folder.rmdir()
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="belongs to somebody else"):
        lock_folder()
