"""Machine code that is kept on disk is never older than any file that it was made of."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CALLER = """
from called import STEP, step
from coactivation_manifolds.compiled import compiled

@compiled
def run(x):
    return _twice(x) + STEP

@compiled
def _twice(x):
    return 2 * step(x)
"""
CALLED = """
from constants import SHIFT
from coactivation_manifolds.compiled import compiled

STEP = 100

@compiled
def step(x):
    return x + SHIFT
"""


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "caller.py").write_text(CALLER, encoding="utf-8")
    (folder / "called.py").write_text(CALLED, encoding="utf-8")
    (folder / "constants.py").write_text("SHIFT = 1\n", encoding="utf-8")
    return folder


def run(folder: Path, **environment: str) -> tuple[int, int]:
    """caller.run(1) in a new process, and how often its machine code was found on disk."""
    code = "import caller; print(caller.run(1), sum(caller.run.stats.cache_hits.values()))"
    kept = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    # Python's own bytecode is told apart by whole seconds and size
    kept |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)])}
    finished = subprocess.run(
        [sys.executable, "-c", code], env=kept | environment, capture_output=True, text=True, check=True
    )
    result, hits = map(int, finished.stdout.split())
    return result, hits


@pytest.mark.parametrize("folder_given", [False, True], ids=["beside the module", "NUMBA_CACHE_DIR"])
def test_code_is_made_anew_when_a_callee_changes(modules: Path, tmp_path: Path, folder_given: bool) -> None:
    cache = tmp_path / "cache"
    environment = {"NUMBA_CACHE_DIR": str(cache)} if folder_given else {}
    assert run(modules, **environment) == (104, 0)
    assert run(modules, **environment) == (104, 1)
    before = (modules / "caller.py").stat()

    (modules / "called.py").write_text(CALLED.replace("x + SHIFT", "x - SHIFT"), encoding="utf-8")
    assert run(modules, **environment) == (100, 0)
    (modules / "called.py").write_text(CALLED.replace("100", "200"), encoding="utf-8")
    assert run(modules, **environment) == (204, 0)
    (modules / "constants.py").write_text("SHIFT = 2\n", encoding="utf-8")
    assert run(modules, **environment) == (206, 0)
    assert run(modules, **environment) == (206, 1)

    after = (modules / "caller.py").stat()
    assert (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
    used = cache if folder_given else modules / "__pycache__"
    assert list(used.rglob("caller.run*.nbi"))
    assert cache.exists() == folder_given


def test_compiles_in_each_process_where_nothing_can_be_written(modules: Path, tmp_path: Path) -> None:
    (modules / "__pycache__").write_text("no folder", encoding="utf-8")
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    nowhere = str(tmp_path / "file" / "cache")
    for _ in range(2):
        assert run(modules, XDG_CACHE_HOME=nowhere, HOME=nowhere, NUMBA_CACHE_DIR=nowhere) == (104, 0)
