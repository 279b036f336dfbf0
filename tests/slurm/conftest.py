"""A Slurm of its own for these tests, and what several of them run there.

The modules run in the order of their names. Single jobs are disturbed while the demo's model is trained; what disturbs
all jobs comes after the demo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from one_machine import OneMachine, why_not
from slurm_runs import ACCOUNTING, DEMO_TARGETS, HARVEST, Run, ask_for_gpus, shard_files
from tiny_harvest import add_tiny_harvest
from workflow_clone import Clone

N_TOKENS = 30_000


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


@pytest.fixture(scope="session")
def demo_run(slurm: OneMachine, make_clone: Callable[[], Clone]) -> Iterator[Run]:
    """The demo through Slurm, in the background."""
    clone = make_clone()
    ask_for_gpus(clone)
    run = Run(slurm, clone, *DEMO_TARGETS)
    yield run
    run.stop()


@pytest.fixture(scope="session", autouse=True)
def begin_demo(request: pytest.FixtureRequest) -> None:
    """Begin the demo with the first test, where one of the tests needs it."""
    if any("demo_run" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("demo_run")


@pytest.fixture(scope="session")
def planned(slurm: OneMachine, make_clone: Callable[[], Clone]) -> Clone:
    """A copy of the workflow with one shard to harvest; its tokens are there."""
    clone = make_clone()
    add_tiny_harvest(clone, "tiny", n_tokens=N_TOKENS, tokens_per_shard=N_TOKENS)
    clone.snakemake("results/tiny/corpus/plan.json")
    return clone


@pytest.fixture(scope="session")
def undisturbed(planned: Clone, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of that shard, harvested without Slurm and without any disturbance."""
    clone = planned.duplicate(tmp_path_factory.mktemp("undisturbed") / "clone")
    clone.snakemake(HARVEST)
    return shard_files(clone)


@pytest.fixture
def start(slurm: OneMachine, planned: Clone, tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Starts the harvest in a copy of its own."""
    runs: list[Run] = []

    def started(*arguments: str) -> Run:
        runs.append(Run(slurm, planned.duplicate(tmp_path / "clone"), HARVEST, *arguments))
        return runs[-1]

    yield started
    for run in runs:
        run.stop()
