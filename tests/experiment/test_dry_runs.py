"""Dry runs of the experiments that ship: without torch, a GPU, the data, or a network."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from workflow_clone import ROOT, add_small_experiment, job_table

from coactivation_manifolds.clustering.spec import expand_names
from coactivation_manifolds.experiment.config import load_experiment
from coactivation_manifolds.experiment.expected_files import expected_files

pytestmark = pytest.mark.workflow

POISON = """\
import importlib.abc, sys

# without numpy and pandas, which Snakemake's Slurm plugin imports
NAMES = set(
    "torch transformers sae_lens datasets sklearn pyarrow matplotlib polars duckdb scipy numba igraph leidenalg".split()
)

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in NAMES:
            raise ImportError(f"{name} is not needed for a plan")

sys.meta_path.insert(0, Refuse())
"""


def plan(folder: Path, *targets: str, poison: Path) -> str:
    """The output of a dry run in which importing torch and its like fails."""
    (poison / "sitecustomize.py").write_text(POISON)
    environment = {**os.environ, "PYTHONPATH": f"{poison}{os.pathsep}{ROOT}", "CUDA_VISIBLE_DEVICES": ""}
    finished = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", "-n", *targets],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout[-4000:]
    return finished.stdout


@pytest.mark.parametrize(
    ("name", "shards"),
    [
        ("gemma-2-2b_layer12_65k", 4),
        ("gpt2-small_layer7", 20),
        ("gpt2-small_layer7_days", 20),
        ("gemma-3-27b_layer31_65k", 20),
        ("demo", 3),
        ("demo_mess3", 3),
        ("pydocs", 4),
    ],
)
def test_one_job_a_shard(clone, tmp_path, name, shards):
    output = plan(clone.folder, f"results/{name}/report.html", poison=tmp_path)
    jobs = job_table(output)
    assert jobs["harvest_shard"] == jobs["count_shard"] == jobs["recount_shard"] == shards
    assert jobs["write_report"] == jobs["plan_corpus"] == jobs["reduce_counts"] == 1
    gpus = {int(count) for count in re.findall(r"gpu=(\d+)", output)}
    assert gpus == {{"demo": 0, "demo_mess3": 0, "pydocs": 0, "gemma-3-27b_layer31_65k": 2}.get(name, 1)}
    assert not (clone / "results").exists()
    outputs = set(re.findall(r"results/[^\s,]+", " ".join(re.findall(r"^ +output: (.*)$", output, flags=re.MULTILINE))))
    config = load_experiment(name, clone / "config")
    assert expected_names(config) == outputs


def test_an_import_without_decoder(clone, tmp_path):
    add_small_experiment(clone, shards=2)
    path = clone / "config/experiments/small.yaml"
    path.write_text(path.read_text().replace("  decoder: data/decoder.npy\n", ""))
    output = plan(clone.folder, "results/small/report.html", poison=tmp_path)
    outputs = set(re.findall(r"results/[^\s,]+", " ".join(re.findall(r"^ +output: (.*)$", output, flags=re.MULTILINE))))
    assert expected_names(load_experiment("small", clone / "config")) == outputs
    assert "harvest_shard" not in job_table(output)


def expected_names(config) -> set[str]:
    """What inspect looks for, as the plan writes it: the atlas is declared as a folder, token shards not at all."""
    names = {str(path) for files in expected_files(config).values() for path in files}
    return {name.removesuffix("/index.html") for name in names if "/corpus/shard=" not in name}


def test_one_figure_on_slurm(clone, tmp_path):
    figure = "results/demo/geometry/components_j0.30/cluster=0001/pca.png"
    jobs = job_table(plan(clone.folder, "--profile", "slurm", "--", figure, poison=tmp_path))
    assert jobs["plot_cluster_pca"] == 1
    assert jobs["harvest_shard"] == 3
    assert not {"write_report", "draw_atlas", "summarize_sweep"} & set(jobs)


def test_what_make_reproduce_days_asks_for(clone, tmp_path):
    """The Makefile's own targets: a report, and scores of clusterings by co-activation and by cosine."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    results = re.findall(r"^DAYS := (.+)$", makefile, flags=re.MULTILINE)[0]
    scored = re.findall(r"^DAYS_SCORED := (.+)$", makefile, flags=re.MULTILINE)[0].split()
    targets = [f"{results}/geometry/{clustering}/scores.parquet" for clustering in scored]
    output = plan(clone.folder, f"{results}/report.html", *targets, poison=tmp_path)
    assert job_table(output)["write_report"] == 1
    assert all(target in output for target in targets)
    swept = load_experiment(Path(results).name, clone / "config")["clustering"]["sweep"]
    assert any(name.startswith("cosine_") for name in scored)
    assert set(scored) <= set(expand_names(swept))


def test_several_experiments_in_one_plan(clone, tmp_path):
    output = plan(clone.folder, "results/demo/report.html", "results/gpt2-small_layer7/report.html", poison=tmp_path)
    assert job_table(output)["write_report"] == 2
    assert job_table(output)["harvest_shard"] == 23


def test_a_broken_file_of_another_experiment_stops_nothing(clone, tmp_path):
    clone.write_experiment("broken", "a: [\n")
    assert job_table(plan(clone.folder, "results/demo/report.html", poison=tmp_path))["write_report"] == 1


def test_an_import_that_extends_another_is_known_as_an_import(clone, tmp_path):
    add_small_experiment(clone)
    clone.write_experiment("narrow", "extends: small\ncounting: {positions: [0, 20]}\n")
    jobs = job_table(plan(clone.folder, "results/narrow/similarity/edges.parquet", poison=tmp_path))
    assert jobs["import_activations"] == 1
