"""One finished tiny run, and copies of it to damage."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tiny_run import NAME, make_tiny_run, write_experiment
from workflow_clone import Clone

from coactivation_manifolds.experiment.config import load_experiment


@pytest.fixture(scope="session")
def finished(make_clone: Callable[[], Clone]) -> Iterator[Clone]:
    """The run; nothing may change it."""
    clone = make_clone()
    write_experiment(clone)
    before = Path.cwd()
    os.chdir(clone.folder)
    try:
        make_tiny_run(clone, load_experiment(NAME))
    finally:
        os.chdir(before)
    yield clone


@pytest.fixture
def results(finished: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the run's results, in a working directory with its configuration; relative to it."""
    for part in ("config", "data", f"results/{NAME}"):
        shutil.copytree(finished / part, tmp_path / part)
    monkeypatch.chdir(tmp_path)
    return Path("results") / NAME
