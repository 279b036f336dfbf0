"""How long Snakemake plans a run of many shards, beside a bare Snakefile of the same graph.

    .venv/bin/python benchmarks/plan_workflow.py            200 and 2,000 shards, some two minutes on two cores
    .venv/bin/python benchmarks/plan_workflow.py --only large        10,000 shards, once; some three minutes

Every time is that of ``snakemake -n`` as a person calls it, its start included, in a copy of the workflow whose shards
are not there, or are empty files. The bare Snakefile has the same jobs without anything that a rule can do without: one
input and output each but for the joins, shell commands, no params, resources, logs or scripts. The jobs are counted in
each plan and must be those expected. Sections that are left out keep the numbers of the last run.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from measuring import parser_of, run_sections, take_turns

from coactivation_manifolds import paths
from coactivation_manifolds.experiment.config import load_experiment, plan_settings
from coactivation_manifolds.storage import write_json

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("Snakefile", "rules", "workflow_scripts", "config", "profiles", "envs", "docs/captions")
SECTIONS = ("parse", "sizes", "states", "large")
SHARDS, LARGE = (200, 2_000), 10_000
TOKENS_PER_SHARD = 250_000
PER_SHARD = {
    "harvest": (paths.MANIFEST,),
    "count": (paths.SHARD_COUNTS, paths.SHARD_MARGINALS, paths.SHARD_TOTALS),
    "recount": (paths.SHARD_RECOUNT,),
}

HARVESTED = """\
model: {{path: in/model}}
sae: {{path: in/sae}}
corpus: {{source: jsonl, path: in/corpus.jsonl, n_tokens: {n_tokens}}}
harvest: {{device: cpu, gpus_per_job: 0, tokens_per_shard: {tokens_per_shard}}}
"""
IMPORTED = "activations: {{format: parquet, path: in/rows.parquet, n_latents: 65536, shards: {shards}}}\n"

BARE = """\
SHARDS = [f"{{shard:06d}}" for shard in range({shards})]

rule reduce:
    input: expand("{{step}}/{{shard}}", step=["count", "recount"], shard=SHARDS)
    output: "edges"
    shell: "touch {{output}}"

rule harvest:
    output: "harvest/{{shard}}"
    shell: "touch {{output}}"

rule count:
    input: "harvest/{{shard}}"
    output: "count/{{shard}}"
    shell: "touch {{output}}"

rule merge:
    input: expand("count/{{shard}}", shard=SHARDS)
    output: "candidates"
    shell: "touch {{output}}"

rule recount:
    input: "harvest/{{shard}}", "count/{{shard}}", "candidates"
    output: "recount/{{shard}}"
    shell: "touch {{output}}"
"""

Jobs = dict[str, int]


def main() -> int:
    """Run the sections that are asked for."""
    parser = parser_of(__doc__, SECTIONS)
    parser.set_defaults(only=[section for section in SECTIONS if section != "large"], repetitions=2)
    parser.add_argument("--shards", type=int, nargs="+", default=list(SHARDS), help="sizes, the largest for all states")
    parser.add_argument("--large", type=int, default=LARGE, help="shards of the section large")
    run_sections(
        "plan_workflow", parser.parse_args(), {section: globals()[f"measure_{section}"] for section in SECTIONS}
    )
    return 0


def measure_parse(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds until the rules are read, which every job spends again, and until the jobs of one shard are planned."""
    shards = max(arguments.shards)
    with workflow_copy() as ours, bare_workflow(shards) as bare:
        write_experiment(ours, HARVESTED, shards)
        counts = filled(paths.SHARD_COUNTS, shard=0)
        tools = {
            "rules listed, bare": partial(snakemake, bare, "--list-rules"),
            "rules listed, ours": partial(snakemake, ours, "--list-rules"),
            "one shard, bare": planned(bare, "count/000000", {"harvest": 1, "count": 1}),
            "one shard, ours": planned(ours, counts, {"plan_corpus": 1, "harvest_shard": 1, "count_shard": 1}),
        }
        seconds, _ = take_turns(tools, arguments.repetitions)
    return {"shards": shards, "seconds": seconds}


def measure_sizes(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of a plan where nothing is made yet, for each number of shards."""
    return {"points": [plan_of_nothing_made(shards, arguments.repetitions) for shards in arguments.shards]}


def measure_large(arguments: argparse.Namespace) -> dict[str, Any]:
    """The same with so many shards that larger ones would be better; each plan is made once."""
    return plan_of_nothing_made(arguments.large, 1)


def plan_of_nothing_made(shards: int, repetitions: int) -> dict[str, Any]:
    """Seconds of ours and of the bare Snakefile."""
    with workflow_copy() as ours, bare_workflow(shards) as bare:
        write_experiment(ours, HARVESTED, shards)
        tools = {
            "bare": planned(bare, "edges", bare_jobs(shards)),
            "ours": planned(ours, filled(paths.EDGES), harvest_jobs(shards)),
        }
        seconds, last = take_turns(tools, repetitions)
    return {"shards": shards, "jobs": {name: sum(jobs.values()) for name, jobs in last.items()}, "seconds": seconds}


def measure_states(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds where activations are imported, where all is made, and where a shard is added to that; once each."""
    shards = max(arguments.shards)
    seconds: dict[str, list[float]] = {}
    jobs: dict[str, Jobs] = {}
    with workflow_copy() as ours:
        states: dict[str, tuple[Callable[[], None], Jobs]] = {
            "imported, nothing made": (lambda: write_experiment(ours, IMPORTED, shards), import_jobs(shards)),
            "harvested, all made": (lambda: pretend_finished(ours, shards), {}),
            "harvested, one shard added": (lambda: add_shard(ours, shards), jobs_of_added_shard(shards)),
        }
        for name, (prepare, expected) in states.items():
            prepare()
            times, last = take_turns({name: planned(ours, filled(paths.EDGES), expected)}, 1)
            seconds |= times
            jobs |= last
    return {"shards": shards, "jobs": {name: sum(found.values()) for name, found in jobs.items()}, "seconds": seconds}


def planned(folder: Path, target: str, expected: Jobs) -> Callable[[], Jobs]:
    """A dry run, and the check that it plans the jobs expected."""

    def run() -> Jobs:
        found = job_table(snakemake(folder, "-n", target))
        if found != expected:
            raise ValueError(f"{target} needs {expected}, but the plan has {found}")
        return found

    return run


def snakemake(folder: Path, *arguments: str) -> str:
    """What Snakemake prints in a process of its own."""
    profile = ["--profile", "local"] if (folder / "local").exists() else []
    command = [sys.executable, "-m", "snakemake", *profile, "--cores", "2", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{ended.stdout[-4000:]}")
    return ended.stdout


def job_table(output: str) -> Jobs:
    """Jobs by rule, from the last table of a dry run; none where there is nothing to do."""
    if "Nothing to be done" in output:
        return {}
    rows = re.findall(r"^(\w+) +(\d+)$", output.rsplit("Job stats:", 1)[1], flags=re.MULTILINE)
    return {name: int(count) for name, count in rows if name != "total"}


def bare_jobs(shards: int) -> Jobs:
    """Jobs of the bare Snakefile."""
    return {**dict.fromkeys(("harvest", "count", "recount"), shards), "merge": 1, "reduce": 1}


def harvest_jobs(shards: int) -> Jobs:
    """Jobs that make the edges of a harvested experiment."""
    once = ("plan_corpus", "describe_sae", "merge_candidates", "reduce_counts")
    return {**dict.fromkeys(("harvest_shard", "count_shard", "recount_shard"), shards), **dict.fromkeys(once, 1)}


def import_jobs(shards: int) -> Jobs:
    """Jobs that make the edges of an imported experiment without a decoder."""
    once = ("import_activations", "merge_candidates", "reduce_counts")
    return {**dict.fromkeys(("publish_import_shard", "count_shard", "recount_shard"), shards), **dict.fromkeys(once, 1)}


def jobs_of_added_shard(shards: int) -> Jobs:
    """Jobs of one shard beside so many that are finished: theirs but for the second pass are left alone."""
    once = ("harvest_shard", "count_shard", "merge_candidates", "reduce_counts")
    return {**dict.fromkeys(once, 1), "recount_shard": shards + 1}


def filled(template: str, **wildcards: int) -> str:
    """A path of the experiment ``many``."""
    return str(paths.fill(template, experiment="many", **wildcards))


@contextmanager
def bare_workflow(shards: int) -> Iterator[Path]:
    """A folder with the bare Snakefile."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "Snakefile").write_text(BARE.format(shards=shards), encoding="utf-8")
        yield Path(name)


@contextmanager
def workflow_copy() -> Iterator[Path]:
    """A folder with this workflow and the files that an experiment names; those are only looked at."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in PARTS:
            (folder / part).parent.mkdir(parents=True, exist_ok=True)
            copy: Callable[..., Any] = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, folder / part)
        (folder / "local").symlink_to("profiles/local")
        for file in ("model/config.json", "model/model.safetensors", "sae/cfg.json", "corpus.jsonl", "rows.parquet"):
            touch(folder / "in" / file, hours_ago=10)
        yield folder


def write_experiment(folder: Path, text: str, shards: int) -> None:
    """Write the experiment ``many`` with so many shards."""
    path = folder / "config/experiments/many.yaml"
    filled_in = text.format(shards=shards, n_tokens=shards * TOKENS_PER_SHARD, tokens_per_shard=TOKENS_PER_SHARD)
    path.write_text(filled_in, encoding="utf-8")


def pretend_finished(folder: Path, shards: int) -> None:
    """Put an empty file where each result belongs, in the order in which a run makes them, and the plan."""
    write_experiment(folder, HARVESTED, shards)
    config = load_experiment("many", folder / "config")
    settings = plan_settings(config["corpus"], config["model"], config["sae"], tokens_per_shard=TOKENS_PER_SHARD)
    plan = folder / filled(paths.CORPUS_PLAN)
    write_json({"settings": settings, "n_tokens_asked": config["corpus"]["n_tokens"]}, plan)
    for hours_ago, templates in {
        9: (paths.CORPUS_PLAN, paths.VOCAB, paths.DECODER, paths.SAE_JSON),
        8: PER_SHARD["harvest"],
        7: PER_SHARD["count"],
        6: (paths.CANDIDATES,),
        5: PER_SHARD["recount"],
        4: (paths.EDGES, paths.TOTALS, paths.SIMILARITY_TAIL_TABLE),
    }.items():
        for template in templates:
            numbers = range(shards) if "{shard}" in template else [0]
            for shard in numbers:
                touch(folder / filled(template, shard=shard), hours_ago=hours_ago)


def add_shard(folder: Path, shards: int) -> None:
    """Ask for one shard more than is finished, and for the edges anew."""
    write_experiment(folder, HARVESTED, shards + 1)
    (folder / filled(paths.EDGES)).unlink()


def touch(path: Path, *, hours_ago: int) -> None:
    """Set a file's time, making it empty where it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    moment = time.time() - 3_600 * hours_ago
    os.utime(path, (moment, moment))


if __name__ == "__main__":
    sys.exit(main())
