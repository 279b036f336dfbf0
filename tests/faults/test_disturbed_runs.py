"""The short form of `make test-faults`: every operation of every writer, and a few whole runs of each kind of fault."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from damage_runs import DAMAGES, DamageCase, damage_and_look
from disk_layer import KINDS, compile_layer, layer_environment
from fault_runs import CLEAR, FAULTS, RECOVERED, UNHARMED, Case, NotPossibleError
from victims import STAGES, Victim, make_small
from workflow_clone import ROOT

STAGE = {stage.name: stage for stage in STAGES}
SMALL = "results/small"
FLIP = "one bit flipped"
TARGETS = (f"{SMALL}/similarity/edges.parquet", f"{SMALL}/index/token_rows.npy")


@pytest.fixture(scope="session")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = compile_layer(tmp_path_factory.mktemp("layer"))
    if library is None:
        pytest.skip("the layer that lets writes fail needs a C compiler (cc)")
    return library


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Victim:
    return make_small(tmp_path_factory.mktemp("undisturbed") / "clone", *TARGETS)


def test_every_operation_of_every_writer_may_fail(layer, tmp_path):
    (tmp_path / "results").mkdir()
    program = Path(__file__).with_name("every_operation.py")
    told = layer_environment(layer, folder=tmp_path, kind="none", of=program.name)
    del told["FAULT_LOG"]
    finished = subprocess.run(
        [sys.executable, str(program)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), **told},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in finished.stdout.splitlines()]
    assert [line for line in lines if line["wrong"]] == []
    assert {line["kind"] for line in lines} == set(KINDS) and len(lines) == 7 * len(KINDS)
    assert min(line["tried"] for line in lines) >= 4


DISTURBED = [
    ("SIGKILL of the job", "reduce"),
    ("SIGKILL of snakemake and its jobs", "count"),
    ("torn write, then I/O errors", "index"),
    ("disk full (small tmpfs)", "recount"),
]


@pytest.mark.workflow
@pytest.mark.parametrize(("fault", "stage"), DISTURBED)
def test_the_next_run_ends_with_the_same_bytes(layer, undisturbed, tmp_path, fault, stage):
    case = Case(undisturbed.copy(tmp_path / "copy"), STAGE[stage], random.Random(0), layer, n_operations=6, seconds=3.0)
    try:
        outcome = FAULTS[fault](case)
    except NotPossibleError as error:
        pytest.skip(str(error))
    assert outcome.what in (RECOVERED, UNHARMED), outcome.said


@pytest.mark.workflow
def test_a_damaged_file_is_named_with_the_command_that_mends_it(undisturbed, tmp_path):
    path = f"{SMALL}/cooccurrence/shard=000001.marginals.npy"
    outcome = damage_and_look(DamageCase(undisturbed.copy(tmp_path / "copy"), path, random.Random(0)), DAMAGES[FLIP])
    assert outcome.what == CLEAR, outcome.said
