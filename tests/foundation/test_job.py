"""The frame around a job: its log, and one line in place of a traceback."""

import errno
import logging
import os

import pytest

from coactivation_manifolds.errors import InputError
from coactivation_manifolds.job import job
from coactivation_manifolds.storage import read_json


def test_messages_go_to_the_log_and_warnings_to_the_terminal(tmp_path, capsys):
    log = tmp_path / "logs/deep/one.log"
    with job(log):
        logging.getLogger("coactivation_manifolds.part").info("a note")
        logging.getLogger("coactivation_manifolds.part").warning("a warning")
    assert "INFO coactivation_manifolds.part: a note" in log.read_text()
    assert capsys.readouterr().err == "a warning\n"
    assert logging.getLogger("coactivation_manifolds").handlers == []


def test_our_errors_end_with_one_line(tmp_path, capsys):
    log = tmp_path / "one.log"
    with pytest.raises(SystemExit) as caught, job(log):
        raise InputError("the file x is\n  empty")
    assert caught.value.code == 1
    assert capsys.readouterr().err == "error: the file x is empty\n"
    assert log.read_text().endswith("ERROR coactivation_manifolds: error: the file x is empty\n")
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            OSError(errno.ENOSPC, "No space", "results/x"),
            "no space left on the disk while writing results/x: free",
        ),
        (OSError(errno.ENOSPC, "No space"), "no space left on the disk: free some"),
        (
            PermissionError(errno.EACCES, "Permission denied", "results/x"),
            "Permission denied: results/x; check",
        ),
        (
            OSError(errno.EIO, "Input/output error", "results/x"),
            "Input/output error: results/x; check the disk or network file system",
        ),
        (OSError(errno.EIO, "Input/output error"), "Input/output error: the disk; check"),
        (MemoryError("Unable to allocate 9 TiB"), "out of memory (Unable to allocate 9 TiB): give the job more memory"),
        (MemoryError(), "out of memory (no size given)"),
    ],
)
def test_errors_of_the_machine_end_with_one_line(tmp_path, capsys, error, expected):
    with pytest.raises(SystemExit), job(tmp_path / "one.log"):
        raise error
    assert expected in capsys.readouterr().err
    assert expected in (tmp_path / "one.log").read_text()


def test_defects_pass_through(tmp_path):
    for error in (ZeroDivisionError("x"), OSError(errno.EPIPE, os.strerror(errno.EPIPE))):
        with pytest.raises(type(error)), job(tmp_path / "one.log"):
            raise error
    assert logging.getLogger("coactivation_manifolds").handlers == []


def test_logs_of_earlier_attempts_are_kept(tmp_path):
    log = tmp_path / "one.log"
    for attempt in range(3):
        with job(log) as logger:
            logger.info("attempt %d", attempt)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.log", "one.log.1", "one.log.2"]
    assert "attempt 0" in (tmp_path / "one.log.1").read_text()
    assert "attempt 2" in log.read_text()


def test_a_log_that_cannot_be_written_is_one_line(tmp_path, capsys):
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit), job(tmp_path / "file/one.log"):
        pytest.fail("the job must not begin")
    assert "can't write the log" in capsys.readouterr().err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")  # noqa: PTH110 (before any fixture)
def test_a_log_on_a_full_disk_drops_lines_without_a_traceback(tmp_path, capsys):
    (tmp_path / "one.log").symlink_to("/dev/full")
    with job(tmp_path / "one.log") as logger:
        logger.info("lost")
        logger.warning("seen")
    assert capsys.readouterr().err == "seen\n"


def test_a_job_of_the_workflow_leaves_its_record(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with job("logs/mine/count_shard/000003.log"):
        pass
    record = read_json("results/mine/provenance/count_shard.000003.json")
    assert record["seconds"] >= 0
    assert record["cpu_seconds"] >= 0 and record["peak_memory_mib"] > 10
    assert {"host", "platform", "cpus", "gpus", "workflow_commit", "versions"} <= set(record)
    with pytest.raises(SystemExit), job("logs/mine/count_shard/000004.log"):
        raise InputError("x")
    with job("elsewhere.log"):
        pass
    assert [path.name for path in sorted(tmp_path.rglob("*.json"))] == ["count_shard.000003.json"]
