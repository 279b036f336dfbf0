"""Shared by all tests: settings of the environment and copies of the workflow."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from workflow_clone import Clone


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A fresh copy of the workflow."""
    return Clone(tmp_path / "clone")


@pytest.fixture(scope="session")
def make_clone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Clone]:
    """Makes copies of the workflow that live as long as the session."""
    return lambda: Clone(tmp_path_factory.mktemp("clone") / "clone")
