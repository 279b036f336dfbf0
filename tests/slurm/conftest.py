"""A Slurm of its own for these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from one_machine import OneMachine, why_not
from slurm_runs import ACCOUNTING


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneMachine]:
    """A running Slurm, stopped at the end; skips where none can be started."""
    if reason := why_not(accounting=ACCOUNTING):
        pytest.skip(reason)
    machine = OneMachine(tmp_path_factory.mktemp("slurm"), accounting=ACCOUNTING)
    try:
        machine.start()
        yield machine
    finally:
        machine.stop()
