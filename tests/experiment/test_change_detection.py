"""What a change makes anew, by dry runs over one finished experiment whose files are stand-ins.

Its files are empty, and ``snakemake --touch`` records params and inputs as a run would: what is made anew depends on
these alone.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from os import environ, pathsep
from pathlib import Path

import pytest
from workflow_clone import ROOT, Clone, job_table

from coactivation_manifolds import paths
from coactivation_manifolds.experiment.config import load_experiment, plan_settings

pytestmark = pytest.mark.workflow

NAME = "changing"
EXPERIMENT = """\
model: {name: gpt2, revision: aaaa}
sae: {release: gpt2-small-res-jb, sae_id: blocks.7.hook_resid_pre}
corpus: {source: huggingface, name: someone/texts, revision: bbbb, n_tokens: 200_000, context_length: 128}
harvest: {tokens_per_shard: 100_000}
clustering: {headline: components_j0.30, sweep: ["components_j{0.20,0.30}"]}
"""
TARGETS = (
    f"results/{NAME}/report.html",
    f"results/{NAME}/geometry/components_j0.30/cluster=0000/pca.png",
)
COUNTING = {"count_shard", "merge_candidates", "recount_shard", "reduce_counts"}
LATER = {
    "find_cosine_neighbors",
    "cluster_edges",
    "summarize_clusters",
    "summarize_sweep",
    "draw_atlas",
    "write_report",
}
HARVESTING = {"harvest_shard", "summarize_activations", "build_index", "rank_latent_tokens"}
DRAWING = {"draw_atlas", "plot_cluster_pca", "draw_gallery", "write_report"}
ORDER = ("corpus", "activations", "index", "cooccurrence", "similarity", "cosine", "clustering", "geometry", "report")


@pytest.fixture(scope="module")
def made(make_clone) -> Clone:
    """An experiment that Snakemake takes for finished."""
    clone = make_clone()
    clone.write_experiment(NAME, EXPERIMENT)
    for output in re.findall(r"^ +output: (.*)$", clone.snakemake("-n", *TARGETS).stdout, flags=re.MULTILINE):
        for name in output.split(", "):
            path = clone / name
            if path.name in ("atlas", "gallery"):
                path.mkdir(parents=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
    config = load_experiment(NAME, clone / "config")
    settings = plan_settings(config["corpus"], config["model"], config["sae"], tokens_per_shard=100_000)
    plan = clone / str(paths.fill(paths.CORPUS_PLAN, experiment=NAME))
    plan.write_text(json.dumps({"settings": settings, "n_tokens_asked": 200_000}))
    clone.snakemake("--touch", "--forceall", *TARGETS)
    return clone


@pytest.fixture
def unchanged(made: Clone) -> Iterator[Clone]:
    """The same, with the experiment's file as it was when the test has ended."""
    yield made
    made.write_experiment(NAME, EXPERIMENT)


def planned(clone: Clone, *targets: str) -> dict[str, int]:
    """Jobs of a dry run, by rule; none where there is nothing to do."""
    output = clone.snakemake("-n", *(targets or TARGETS)).stdout
    if "Nothing to be done" in output:
        return {}
    return {rule: jobs for rule, jobs in job_table(output).items() if rule != "total"}


def test_a_finished_experiment_has_nothing_to_do(unchanged):
    assert planned(unchanged) == {}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("revision: bbbb", "revision: cccc"),
        ("context_length: 128", "context_length: 64"),
        ("revision: aaaa", "revision: cccc"),
        ("blocks.7.hook_resid_pre", "blocks.8.hook_resid_pre"),
    ],
    ids=["corpus revision", "context length", "model", "SAE"],
)
def test_what_the_activations_come_from_makes_all_anew(unchanged, before, after):
    unchanged.write_experiment(NAME, EXPERIMENT.replace(before, after))
    jobs = planned(unchanged)
    assert set(jobs) >= HARVESTING | COUNTING | LATER
    assert jobs["harvest_shard"] == jobs["count_shard"] == jobs["recount_shard"] == 2


def test_the_floor_makes_counting_and_what_follows_anew(unchanged):
    """Both passes, since a lower floor keeps pairs that the shards' counts do not hold."""
    unchanged.write_experiment(NAME, EXPERIMENT + "similarity: {jaccard_floor: 0.015}\n")
    jobs = planned(unchanged)
    assert set(jobs) >= COUNTING | LATER
    assert not (HARVESTING | {"plan_corpus", "describe_sae"}) & set(jobs)


def test_the_least_count_makes_the_reduce_and_what_follows_anew(unchanged):
    unchanged.write_experiment(NAME, EXPERIMENT + "similarity: {min_count: 20}\n")
    jobs = planned(unchanged)
    assert {"reduce_counts"} | LATER <= set(jobs)
    assert not (HARVESTING | COUNTING - {"reduce_counts"}) & set(jobs)


def test_a_threshold_makes_only_its_clustering(unchanged):
    unchanged.write_experiment(NAME, EXPERIMENT.replace("{0.20,0.30}", "{0.25,0.30}"))
    jobs = planned(unchanged)
    assert jobs["cluster_edges"] == 2  # the new one and its counterpart by cosine
    assert {"summarize_sweep", "plot_sweep", "write_report"} <= set(jobs)
    assert not (HARVESTING | COUNTING | {"find_cosine_neighbors", "draw_atlas", "plot_cluster_pca"}) & set(jobs)


def test_drawing_options_make_only_figures(unchanged):
    unchanged.write_experiment(NAME, EXPERIMENT + "geometry: {max_points_drawn: 1000}\n")
    jobs = planned(unchanged)
    assert {"draw_atlas", "plot_cluster_pca"} <= set(jobs) <= DRAWING


def test_one_more_shard_leaves_the_others_alone(unchanged):
    unchanged.write_experiment(NAME, EXPERIMENT.replace("200_000", "300_000"))
    jobs = planned(unchanged)
    assert jobs["plan_corpus"] == jobs["harvest_shard"] == jobs["count_shard"] == 1
    assert jobs["recount_shard"] == 3
    assert {"merge_candidates", "reduce_counts", "build_index"} | LATER <= set(jobs)


def test_comments_make_nothing(unchanged):
    kept = {}
    for name in ("config/config.yaml", "rules/harvest.smk", "workflow_scripts/harvest_shard.py", "Snakefile"):
        kept[name] = (unchanged / name).read_text()
        (unchanged / name).write_text(kept[name] + "\n# a comment\n")
    try:
        unchanged.write_experiment(NAME, "# a comment\n" + EXPERIMENT)
        assert planned(unchanged) == {}
    finally:
        for name, text in kept.items():
            (unchanged / name).write_text(text)


def stages_of_rules() -> dict[str, str]:
    """The stage whose number each rule carries."""
    found = {}
    for path in sorted((ROOT / "rules").glob("*.smk")):
        pieces = re.split(r"^rule (\w+):\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for name, text in zip(pieces[1::2], pieces[2::2], strict=True):
            stage = re.search(r'version=ALGORITHM_VERSION\["(\w+)"\]', text)
            if stage:
                found[name] = stage[1]
    return found


@pytest.mark.parametrize("stage", ["activations", "cooccurrence", "similarity", "clustering", "geometry"])
def test_a_raised_version_makes_its_stage_and_what_follows_anew(unchanged, tmp_path, stage):
    (tmp_path / "sitecustomize.py").write_text(
        f"from coactivation_manifolds.algorithm_versions import ALGORITHM_VERSION\nALGORITHM_VERSION[{stage!r}] += 1\n"
    )
    environment = environ | {"PYTHONPATH": f"{tmp_path}{pathsep}{ROOT}"}
    command = [sys.executable, "-m", "snakemake", "--profile", "local", "--cores", "2", "-n", *TARGETS]
    finished = subprocess.run(command, cwd=unchanged.folder, env=environment, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    jobs = set(job_table(finished.stdout + finished.stderr))
    stages = stages_of_rules()
    assert {rule for rule in jobs if stages.get(rule) == stage}
    assert {"write_report"} <= jobs
    earlier = set(ORDER[: ORDER.index(stage)])
    assert not {rule for rule in jobs if stages.get(rule) in earlier}


def test_a_file_of_the_corpus_counts_by_its_time(unchanged):
    """The plan of a corpus in files is made anew when one of them is newer; see test_adding_shards for a whole run."""
    folder = unchanged / "texts"
    folder.mkdir()
    Path(folder / "a.txt").write_text("text")
    unchanged.write_experiment(
        NAME,
        EXPERIMENT.replace(
            "source: huggingface, name: someone/texts, revision: bbbb", "source: text, path: texts/*.txt"
        ),
    )
    assert {"plan_corpus", "harvest_shard"} <= set(planned(unchanged))
