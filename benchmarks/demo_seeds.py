"""Run the demo's chain for several seeds and write the table of docs/demo.md.

    .venv/bin/python benchmarks/demo_seeds.py                      seeds 0 to 9 of the experiment demo
    .venv/bin/python benchmarks/demo_seeds.py --experiment demo_mess3 --seeds 0
    .venv/bin/python benchmarks/demo_seeds.py --no-run             the table of the seeds that are done

Each seed is an experiment file of its own, `config/experiments/NAME_seedN.yaml` (`extends: NAME`, the seed, and no
shape tests of the cosine clusterings, which are a family of their own and change nothing in the table; ignored by
git). Seed 0 is the experiment itself where that is its seed. One seed is run after the other, up to its finds and the
check of the planted truth. Results stay in results/, so a run that was stopped goes on where it was; the page is
written once, when all seeds were tried, and holds those that are done.
"""

from __future__ import annotations

import argparse
import fcntl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from demo_calls import read_calls
from demo_seeds_table import markdown_table, missed_bars
from measuring import put_between

from coactivation_manifolds import paths
from coactivation_manifolds.experiment.config import load_experiment
from coactivation_manifolds.storage import read_json

EXPERIMENTS = Path("config/experiments")
PAGE = Path("docs/demo.md")
LOCK = Path("results/.run.lock")
TARGETS = (paths.FINDS, paths.PLANTED_CHECK)


def main() -> int:
    """Run, print the table, write it to the page; 1 where a seed failed or a bar is missed."""
    arguments = parse()
    names = {seed: experiment_of(arguments.experiment, seed) for seed in arguments.seeds}
    if arguments.dry_run:
        for name in names.values():
            print(" ".join(command_of(name, arguments.cores)))
        return 0
    failed: list[int] = []
    if not arguments.no_run:
        with only_run():
            subprocess.run([*command_of(names[arguments.seeds[0]], arguments.cores), "--unlock"], capture_output=True)
            failed = run_seeds(names, arguments.cores)
    done = {seed: name for seed, name in names.items() if seed not in failed and is_done(name)}
    if not done:
        print("no seed is done: no table")
        return 1
    results = {seed: read_result(name) for seed, name in done.items()}
    table = markdown_table(results)
    print(table)
    if not put_between(PAGE, f"table {arguments.experiment}", table):
        print(f"{PAGE} has no place for a table of {arguments.experiment}: not written")
    missing = [seed for seed in names if seed not in done]
    if missing:
        print(f"not done, so not in the table: seeds {', '.join(map(str, missing))}")
    for words in missed_bars(results):
        print(f"missed: {words}")
    return 1 if missing or missed_bars(results) else 0


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", default="demo", help="the experiment to vary (default: demo)")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--cores", default="all")
    parser.add_argument("--no-run", action="store_true", help="only write the table, of the seeds that are done")
    parser.add_argument("--dry-run", action="store_true", help="write the experiment files, print the commands only")
    return parser.parse_args()


def experiment_of(experiment: str, seed: int) -> str:
    """The experiment with a seed, its file written where it is not the experiment itself."""
    if load_experiment(experiment)["seed"] == seed:
        return experiment
    name = f"{experiment}_seed{seed}"
    text = f"extends: {experiment}\nseed: {seed}\nfinds:\n  with_cosine: false\n"
    file = EXPERIMENTS / f"{name}.yaml"
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")
    return name


def command_of(name: str, cores: str) -> list[str]:
    """Snakemake's command for the files that the table needs."""
    targets = [str(paths.fill(template, experiment=name)) for template in TARGETS]
    return [sys.executable, "-m", "snakemake", "--profile", "local", "--cores", cores, *targets]


@contextmanager
def only_run() -> Iterator[None]:
    """The lock that `make` takes: one run at a time, so that a lock left by a killed Snakemake may be removed."""
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run_seeds(names: Mapping[int, str], cores: str) -> list[int]:
    """One seed after the other; one that fails leaves the rest alone. The seeds that failed."""
    failed = []
    for number, (seed, name) in enumerate(names.items(), start=1):
        begin = time.perf_counter()
        code = subprocess.run(command_of(name, cores), check=False).returncode
        minutes = (time.perf_counter() - begin) / 60
        ended = "done" if code == 0 else f"FAILED ({code}), see logs/{name}"
        failed += [seed] * (code != 0)
        print(f"seed {seed}: {ended} after {minutes:.1f} minutes, {number} of {len(names)}", flush=True)
    return failed


def is_done(name: str) -> bool:
    """Whether the files that the table needs are there."""
    return all(paths.fill(template, experiment=name).exists() for template in TARGETS)


def read_result(name: str) -> dict[str, Any]:
    """The final check of one experiment, with the SAE's own numbers and the calls."""
    check = read_json(paths.fill(paths.PLANTED_CHECK, experiment=name))
    sae = read_json(paths.fill(paths.TRAINED, experiment=name) / "sae_losses.json")
    return {**check, "sae": sae, "calls": read_calls(name)}


if __name__ == "__main__":
    sys.exit(main())
