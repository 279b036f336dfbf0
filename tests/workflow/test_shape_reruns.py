"""A raised number of one stage of the shape tests reruns that stage and what follows, and nothing before."""

import os
import re
import subprocess
import sys

import pytest
from workflow_clone import ROOT, Clone, add_small_experiment, job_table

pytestmark = pytest.mark.workflow

SCORES = "results/small/geometry/components_j0.30/scores.parquet"
WITH_A_RAISED_NUMBER = """\
import sys
from coactivation_manifolds.algorithm_versions import ALGORITHM_VERSION
from snakemake.cli import main

ALGORITHM_VERSION[sys.argv.pop(1)] += 1
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def touched(make_clone) -> Clone:
    """The small experiment with every file of its scores there, empty, and recorded as made."""
    clone = make_clone()
    add_small_experiment(clone)
    planned = clone.snakemake("-n", SCORES).stdout
    for names in re.findall(r"^ +output: (.+)$", planned, flags=re.MULTILINE):
        for name in names.split(", "):
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            (clone / name).touch()
    clone.snakemake("--touch", "--forceall", SCORES)
    return clone


@pytest.mark.parametrize(
    ("raised", "reruns"),
    [
        ("shape_draws", {"draw_nulls", "test_shapes", "compare_connected_sets", "rank_clusters"}),
        ("shape_tests", {"test_shapes", "compare_connected_sets", "rank_clusters"}),
        ("ranking", {"rank_clusters"}),
    ],
)
def test_a_raised_number_reruns_what_follows(touched, raised, reruns):
    command = [sys.executable, "-c", WITH_A_RAISED_NUMBER, raised, "--profile", "local", "--cores", "2", "-n", SCORES]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    planned = subprocess.run(
        command, cwd=touched.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert planned.returncode == 0, planned.stdout
    assert set(job_table(planned.stdout)) - {"total"} == reruns
