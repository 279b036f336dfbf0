"""Wrong settings and names: the plan stops with one line before any job; the tool says the same, with exit code 2."""

from pathlib import Path

import pytest
from bad_runs import check_terminal, digests
from workflow_clone import Clone, add_small_experiment

from coactivation_manifolds.cli import main

pytestmark = pytest.mark.workflow

RIGHT = """\
activations: {format: parquet, path: data/*.parquet, n_latents: 60}
clustering: {headline: components_j0.30, sweep: [components_j0.30]}
"""

FILES = {
    "unknown-key": (
        RIGHT + "similarty: {min_count: 5}\n",
        ('line 3: similarty: unknown key (did you mean "similarity"?)',),
    ),
    "wrong-type": (RIGHT + "seed: many\n", ('line 3: seed: must be a whole number, found the text "many"',)),
    "threshold": (RIGHT.replace("[components_j0.30]", "[components_j1.30]"), ("line 2", "1.30 is not between 0 and 1")),
    "floor": (
        RIGHT.replace("sweep: [components_j0.30]", "sweep: [components_j0.50]") + "similarity: {jaccard_floor: 0.4}\n",
        ("line 2", "components_j0.30", "below", "lower the floor"),
    ),
    "clustering": (
        RIGHT.replace("[components_j0.30]", "[kmeans_5]"),
        ('"kmeans_5" is no name', "grammar", "nearest legal"),
    ),
    "contradiction": (
        RIGHT + "model: {name: gpt2}\n",
        ("line 3: model: contradicts activations", "remove one of the two"),
    ),
    "not-yaml": (RIGHT + "seed: [1\n", ("line 4: not YAML",)),
}


@pytest.fixture(scope="module")
def clone(make_clone) -> Clone:
    """A workflow with right and wrong experiments, and a file of an earlier run."""
    clone = make_clone()
    add_small_experiment(clone)
    for name, (text, _) in FILES.items():
        clone.write_experiment(name, text)
    done = clone / "results/small/similarity/edges.parquet"
    done.parent.mkdir(parents=True)
    done.write_text("an earlier run")
    return clone


@pytest.mark.parametrize("name", FILES)
def test_validate_says_what_where_and_what_to_do(clone, monkeypatch, capsys, name):
    monkeypatch.chdir(clone.folder)
    assert main(["validate", name]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[0].startswith(f"error: config/experiments/{name}.yaml")
    assert all(part in lines[0] for part in FILES[name][1])


TARGETS = {
    "results/unknown-key/report.html": FILES["unknown-key"][1],
    "results/wrong-type/report.html": FILES["wrong-type"][1],
    "results/threshold/report.html": FILES["threshold"][1],
    "results/not-yaml/report.html": FILES["not-yaml"][1],
    "results/smal/report.html": ('there is no experiment "smal" (did you mean "small"?)',),
    "results/small/clusters/components_j0.3/clusters.parquet": ('nearest legal name: "components_j0.30"',),
    "results/small/clusters/components_j0.01/clusters.parquet": ("below similarity.jaccard_floor = 0.02",),
    "./results/small/clusters/components_j0.02/../components_j0.01/clusters.parquet": (
        "below similarity.jaccard_floor = 0.02",
    ),
    "results/small/geometry/components_j0.30/cluster=3/pca.png": ('must be written "0003"',),
}


@pytest.mark.parametrize("target", TARGETS)
def test_the_plan_stops_with_the_same_line(clone, target):
    before = digests(clone / "results")
    finished = clone.snakemake(target, check=False)
    assert finished.returncode == 1
    check_terminal(finished.stdout, TARGETS[target])
    assert digests(clone / "results") == before
    assert not Path(clone / "logs").exists()


def test_settings_of_all_experiments_are_checked_at_parse_as_well(clone):
    settings = clone / "config/config.yaml"
    right = settings.read_text()
    try:
        settings.write_text(right.replace("experiments: [demo]", "experiments: demo"))
        finished = clone.snakemake("-n", check=False)
        check_terminal(finished.stdout, ("config.yaml", "experiments", "list"))
    finally:
        settings.write_text(right)
