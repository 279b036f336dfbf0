"""The demo through `snakemake --profile slurm`: what was submitted, with which resources, and what came out.

Up to the figure of one cluster; with SLURM_WHOLE_DEMO=yes up to the report, which takes several times as many jobs.
"""

import re
import shutil
from collections import Counter

import pytest
from slurm_runs import DEMO_FIGURES, DEMO_PATIENCE_S, DEMO_TARGETS, ask_for_gpus, by_slurm
from workflow_clone import job_table

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

TRAINED = "results/demo/trained"
MAY_DIFFER = ("provenance/", "trained/")


@pytest.fixture(scope="module")
def demo(demo_run):
    demo_run.end(patience_s=DEMO_PATIENCE_S)
    return demo_run.clone


@pytest.fixture(scope="module")
def submitted(slurm, demo):
    """The jobs of the demo's run, by the rule that their comment names."""
    return [job | {"rule": re.sub(r"^rule_|_wildcards_.*$", "", job["Comment"])} for job in slurm.jobs(demo.folder)]


def test_every_shard_is_a_job_with_one_gpu(submitted):
    harvests = [job for job in submitted if job["rule"] == "harvest_shard"]
    assert len(harvests) == 3
    for job in harvests:
        assert job["JobState"] == "COMPLETED"
        assert job["Partition"] == "gpu"
        assert re.search(r"gpu(:\w+)?[:=]1$", job.get("TresPerNode", job.get("TresPerJob", "")))
    assert len({job["Comment"] for job in harvests}) == 3


def test_no_other_job_asks_for_a_gpu(submitted):
    others = [job for job in submitted if job["rule"] != "harvest_shard"]
    assert len(others) > 15
    assert {job["Partition"] for job in others} == {"cpu"}
    assert not [job for job in others if "gpu" in job.get("TresPerNode", "") + job.get("TresPerJob", "")]


def test_memory_and_time_come_from_the_rules(submitted):
    asked = {job["rule"]: (job["MinMemoryNode"], job["TimeLimit"]) for job in submitted}
    assert asked["harvest_shard"] == ("16000M", "04:00:00")
    assert asked["describe_sae"] == ("8000M", "01:00:00")
    assert all(memory != "0" and limit != "UNLIMITED" for memory, limit in asked.values())


def test_each_job_that_the_targets_need_was_submitted_once(demo, make_clone, submitted):
    untouched = make_clone()
    needed = job_table(untouched.snakemake(*DEMO_TARGETS, "--dry-run").stdout)
    assert Counter(job["rule"] for job in submitted) == {rule: n for rule, n in needed.items() if rule != "total"}
    assert max(Counter(job["Comment"] for job in submitted).values()) == 1
    assert {job["JobState"] for job in submitted} == {"COMPLETED"}


def test_a_second_run_has_nothing_to_do(slurm, demo, submitted):
    assert "Nothing to be done" in by_slurm(demo, *DEMO_TARGETS)
    assert len(slurm.jobs(demo.folder)) == len(submitted)


def test_a_dry_run_submits_nothing(slurm, demo, submitted):
    assert "plot_cluster_pca" in by_slurm(demo, DEMO_FIGURES[1], "--dry-run")
    assert len(slurm.jobs(demo.folder)) == len(submitted)


def test_one_figure_is_one_job(slurm, demo, submitted):
    before = len(slurm.jobs(demo.folder))
    by_slurm(demo, DEMO_FIGURES[1])
    new = slurm.jobs(demo.folder)[before:]
    assert [job["Comment"] for job in new] == ["rule_plot_cluster_pca_wildcards_demo_components_j0.20_0001"]
    assert (demo / DEMO_FIGURES[1]).exists()


def test_the_files_are_those_of_a_local_run(demo, make_clone):
    """From the trained model on: training it twice would take as long as all the rest."""
    local = make_clone()
    ask_for_gpus(local)
    shutil.copytree(demo / TRAINED, local / TRAINED, symlinks=True, dirs_exist_ok=True)
    local.snakemake(*DEMO_TARGETS)
    made, by_jobs = files_of(local), files_of(demo)
    assert made.keys() == {name for name in by_jobs if "/cluster=0001/" not in name}
    assert [name for name, content in made.items() if by_jobs[name] != content] == []


def files_of(clone):
    """Content of all results that must not depend on where they were made."""
    folder = clone / "results/demo"
    paths = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {
        name: path.read_bytes()
        for name, path in paths.items()
        if not name.startswith(MAY_DIFFER) and not path.is_symlink()
    }
