"""Does `coactivation-manifolds estimate` say what a run takes? Calibrated on small runs, compared with a larger one.

Synthetic activations are imported and run through the workflow, from import to report, at three sizes. Rates are made
from the records of the two smaller runs, and predict the third: seconds, memory and bytes of each stage, increments.
The rates of all three can be kept, for the package to ship.

.venv/bin/python benchmarks/check_estimate.py                                            three minutes on two cores
.venv/bin/python benchmarks/check_estimate.py --write-rates coactivation_manifolds/estimate/rates.yaml
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from measuring import parser_of, run_sections
from synthetic_activations import Workload, generate_blocks

from coactivation_manifolds.estimate.calibrate import calibrate
from coactivation_manifolds.estimate.measured import MeasuredRun, read_run
from coactivation_manifolds.estimate.prediction import Estimate, Machines, predict
from coactivation_manifolds.estimate.rates import read_rates, write_rates
from coactivation_manifolds.experiment.config import load_experiment
from coactivation_manifolds.storage import write_table

ROOT = Path(__file__).resolve().parent.parent
SECTIONS = ("agreement",)
BLOCK, WARM, D_MODEL = 10_000, 10_000, 256
EXPERIMENT = """\
activations: {{format: parquet, path: {data}, n_latents: {latents}, shards: {shards}, decoder: data/decoder.npy}}
clustering:
  headline: components_j0.20
  min_size: {min_size}
  sweep: ["components_j{{0.10,0.20}}", leiden_cpm_phi_j0.05_r0.050_s0]
finds: {{clusterings: [components_j0.20], with_cosine: false}}
"""


def main() -> int:
    """Measure the sections asked for and write their numbers."""
    parser = parser_of(__doc__, SECTIONS)
    parser.add_argument("--latents", type=int, default=8_192)
    parser.add_argument("--mean-l0", type=float, default=60.0)
    parser.add_argument("--tokens", type=int, nargs=3, default=[40_000, 80_000, 320_000], help="the last is predicted")
    parser.add_argument("--shard-tokens", type=int, default=40_000)
    parser.add_argument("--min-size", type=int, default=20, help="smallest cluster that is drawn")
    parser.add_argument("--folder", type=Path, help="keep the runs here")
    parser.add_argument("--write-rates", type=Path, metavar="FILE", help="rates of all three runs")
    arguments = parser.parse_args()
    arguments.write_rates = arguments.write_rates and arguments.write_rates.resolve()
    run_sections("check_estimate", arguments, {"agreement": measure_agreement})
    return 0


def measure_agreement(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run all sizes, predict the last from the others, and compare."""
    with working_folder(arguments.folder) as folder:
        prepare(folder, arguments)
        run_workflow(folder, name_of(WARM), arguments.threads)
        for n_tokens in arguments.tokens:
            run_workflow(folder, name_of(n_tokens), arguments.threads)
        with chdir(folder):
            shipped = read_rates()
            *small, large = [measured(n_tokens, arguments.threads) for n_tokens in arguments.tokens]
            rates = calibrate(small, shipped)
            predicted = predict(large.config, rates, machines=Machines(cores=arguments.threads))
            planning = rates.plan_seconds + rates.plan_seconds_a_job * sum(s.stage.n_jobs for s in predicted.stages)
            if arguments.write_rates:
                rates = calibrate([*small, large], shipped)
                drawn = {name: getattr(shipped.activity, name) for name in ("clusters", "drawn", "points")}
                # few clusters are drawn here, to save time: those of the package are of the default bounds
                write_rates(replace(rates, activity=replace(rates.activity, **drawn)), arguments.write_rates)
    return compare(predicted, large, planning=planning) | {
        "latents": arguments.latents,
        "calibrated_on": arguments.tokens[:2],
        "predicted": arguments.tokens[2],
        "shard_tokens": arguments.shard_tokens,
    }


def measured(n_tokens: int, threads: int) -> MeasuredRun:
    """The records of one run, which had ``threads`` cores."""
    name = name_of(n_tokens)
    return replace(read_run(Path("results") / name, load_experiment(name), read_rates()), cores=threads)


def compare(predicted: Estimate, large: MeasuredRun, *, planning: float) -> dict[str, Any]:
    """Predicted and measured, by stage and in all; seconds of a stage are those of all its jobs."""
    stages = {
        found.stage.name: {
            "jobs": found.stage.n_jobs,
            "seconds": [found.seconds * found.stage.n_jobs, large.seconds[found.stage.name] * found.stage.n_jobs],
            "memory": [found.memory, large.memory[found.stage.name]],
            "disk": [found.disk, large.disk.get(found.stage.name, 0.0)],
        }
        for found in predicted.stages
    }
    sizes, found = large.sizes, predicted.sizes
    return {
        "stages": stages,
        "job_seconds": [sum(stage["seconds"][side] for stage in stages.values()) for side in (0, 1)],
        "elapsed": [predicted.elapsed - planning, large.elapsed],
        "disk": [sum(stage["disk"][side] for stage in stages.values()) for side in (0, 1)],
        "memory": [max(stage["memory"][side] for stage in stages.values()) for side in (0, 1)],
        "increments": [found.increments, sizes.increments],
        "candidates": [found.candidates, sizes.candidates],
        "edges": [found.edges, sizes.edges],
        "clusters drawn": [found.drawn, sizes.drawn],
    }


@contextlib.contextmanager
def working_folder(kept: Path | None) -> Iterator[Path]:
    """The folder asked for, or one that is removed in the end."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory() as scratch:
        yield Path(scratch).resolve()


def name_of(n_tokens: int) -> str:
    """The experiment of a size."""
    return f"tokens{n_tokens}"


def prepare(folder: Path, arguments: argparse.Namespace) -> None:
    """Configuration and activations of one experiment for each size; the smaller are the beginnings of the larger."""
    shutil.copytree(ROOT / "config", folder / "config", dirs_exist_ok=True)
    sizes = [WARM, *arguments.tokens]
    for n_tokens in sizes:
        data = Path("data") / name_of(n_tokens)
        (folder / data).mkdir(parents=True, exist_ok=True)
        text = EXPERIMENT.format(
            data=data,
            latents=arguments.latents,
            shards=-(-n_tokens // arguments.shard_tokens),
            min_size=arguments.min_size,
        )
        (folder / f"config/experiments/{name_of(n_tokens)}.yaml").write_text(text, encoding="utf-8")
    decoder = np.random.default_rng(0).standard_normal((arguments.latents, D_MODEL), np.float32)
    np.save(folder / "data/decoder.npy", decoder)
    workload = Workload(n_latents=arguments.latents, mean_l0=arguments.mean_l0)
    made = 0
    for number, rows in enumerate(generate_blocks(workload, max(sizes), block_tokens=BLOCK)):
        made += rows.n_tokens
        holders = [folder / "data" / name_of(n) / f"rows_{number:05d}.parquet" for n in sizes if made <= n]
        write_table(rows.to_table(), holders[-1])
        for other in holders[:-1]:
            other.unlink(missing_ok=True)
            os.link(holders[-1], other)


def run_workflow(folder: Path, name: str, cores: int) -> None:
    """Import, count and draw one experiment, with this clone's rules, in a folder of its own."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    command += ["--profile", str(ROOT / "profiles/local"), "--cores", str(cores), "--quiet", "all"]
    finished = subprocess.run(
        [*command, "--", f"results/{name}/report.html"], cwd=folder, capture_output=True, text=True
    )
    if finished.returncode:
        raise SystemExit(f"the run of {name} failed:\n{finished.stdout}{finished.stderr}")


if __name__ == "__main__":
    sys.exit(main())
