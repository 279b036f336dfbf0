"""Temporary files and folders: locked while their writer lives, removed by the next writer once it is dead."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from coactivation_manifolds import temporaries
from coactivation_manifolds.storage import write_text
from coactivation_manifolds.temporaries import temporary_file, temporary_folder

OPEN_FILES = Path("/proc/self/fd")
WRITER = """
import os, signal, sys
from pathlib import Path
from coactivation_manifolds.temporaries import temporary_file, temporary_folder
make = {"file": temporary_file, "folder": temporary_folder}[sys.argv[1]]
with make(Path(sys.argv[2])) as temporary:
    (temporary / "inside" if temporary.is_dir() else temporary).write_text("half")
    print("ready", flush=True)
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def start_writer(kind: str, path: Path) -> subprocess.Popen[str]:
    """A process in mid-write; a line on its stdin lets it kill itself."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, kind, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
    return writer


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_killed_writers_temporary_goes_with_the_next_write_and_a_living_ones_stays(tmp_path, kind):
    path = tmp_path / "result.json"
    make = {"file": temporary_file, "folder": temporary_folder}[kind]
    writer = start_writer(kind, path)
    (living,) = tmp_path.iterdir()
    with make(path) as own:
        assert names(tmp_path) == sorted([living.name, own.name])
    assert names(tmp_path) == [living.name]
    writer.communicate("\n")
    assert writer.returncode == -signal.SIGKILL and names(tmp_path) == [living.name]
    write_text("whole", path)
    assert names(tmp_path) == ["result.json"]


def test_others_files_and_those_of_other_machines_stay(tmp_path):
    kept = [
        f".result.json.elsewhere.{'0' * 12}.tmp",
        f".other.json.{temporaries.machine()}.{'0' * 12}.tmp",
        f".result.json.{'0' * 12}.tmp",
        ".result.json.tmp",
    ]
    for name in kept:
        (tmp_path / name).touch()
    write_text("whole", tmp_path / "result.json")
    assert names(tmp_path) == sorted([*kept, "result.json"])


def test_without_locks_files_are_written_all_the_same_and_none_is_taken_for_dead(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with temporary_file(tmp_path / "x") as other:
        write_text("whole", tmp_path / "x")
        assert names(tmp_path) == sorted([other.name, "x"])
    assert names(tmp_path) == ["x"]


def test_a_temporary_that_was_taken_for_dead_before_it_was_locked_is_made_anew(tmp_path, monkeypatch):
    lock, taken = fcntl.flock, []

    def take_first(handle: int, how: int) -> None:
        if not taken:
            taken.extend(tmp_path.iterdir())
            taken[0].unlink()
        lock(handle, how)

    monkeypatch.setattr(fcntl, "flock", take_first)
    with temporary_file(tmp_path / "x") as temporary:
        assert temporary.exists() and temporary != taken[0]
    assert names(tmp_path) == []


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="needs /proc")
def test_no_descriptor_is_left_open(tmp_path):
    before = len(names(OPEN_FILES))
    for number in range(5):
        write_text("x", tmp_path / f"{number}")
        with pytest.raises(ValueError, match="stop"), temporary_folder(tmp_path / "folder"):
            raise ValueError("stop")
    assert len(names(OPEN_FILES)) == before
