"""Time the figures of clusters: a clustering drawn as a batch, and the job of a single cluster.

.venv/bin/python benchmarks/draw_figures.py [--only batch job axes profile] [--clusters 60] [--entries 100000000]

Run it on a quiet machine. Batch and job run in processes of their own; seconds are of the processor for the batch, of
the wall clock for the job. The index lies in the page cache, since it was just written. Results: docs/benchmarks.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from clusters_to_draw import CLUSTERING, SETTINGS, Experiment, make_experiment
from drawing_with_axes import draw_with_axes
from measuring import largest_memory_kib, parser_of, run_sections, take_turns
from stage_clock import StageClock

from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.figures.cluster_panel import draw_cluster_panel
from coactivation_manifolds.figures.token_names import TokenNames
from coactivation_manifolds.geometry.cluster_view import look_at_cluster
from coactivation_manifolds.geometry.clusters import read_clusters, read_decoder
from coactivation_manifolds.report import atlas

SECTIONS = ("batch", "job", "axes", "profile")
STAGES = {
    "find_points": "slice: which tokens",
    "look_at_points": "slice: activations; principal components",
    "write_components": "pca.npz",
    "write_cluster_page": "cluster.html",
    "draw_thumbnail": "thumbnail.png",
    "draw_cluster_panel": "pca.png",
}
COMPARED = 6
"""Clusters that are also drawn with axes."""
TOP = 14
"""Functions of the profile that are kept."""


def main() -> int:
    """Measure what is asked for."""
    parser = parser_of(__doc__, SECTIONS)
    parser.add_argument("--clusters", type=int, default=60)
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--entries", type=int, default=100_000_000)
    parser.add_argument("--batch-of", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.batch_of:
        print(json.dumps(draw_batch(**json.loads(arguments.batch_of))))
        return 0
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        arguments.experiment = make_experiment(
            Path(folder), n_clusters=arguments.clusters, n_tokens=arguments.tokens, n_entries=arguments.entries
        )
        measures = {"batch": measure_batch, "job": measure_job, "axes": measure_axes, "profile": measure_profile}
        run_sections("draw_figures", arguments, measures)
    return 0


def measure_batch(arguments: argparse.Namespace) -> dict[str, Any]:
    """Draw all clusters in a new process, several times; a cluster drawn alone must have the same bytes."""
    experiment: Experiment = arguments.experiment
    asked = json.dumps(described_inputs(experiment) | {"target": str(experiment.folder / "atlas")})
    runs = [child([__file__, "--batch-of", asked])[0] for _ in range(min(2, arguments.repetitions))]
    return sizes_of(experiment) | {
        "seconds_per_figure": [run["total"] / run["figures"] for run in runs],
        "stages": {
            stage: [run["stages"].get(stage, 0.0) / run["figures"] for run in runs]
            for stage in [*STAGES.values(), "rest"]
        },
        "maxrss_kib": max(run["maxrss_kib"] for run in runs),
        "maxrss_before_kib": max(run["maxrss_before_kib"] for run in runs),
        "png_bytes": runs[0]["png_bytes"],
    }


def draw_batch(
    *, offsets: str, inputs: dict[str, Any], clustering: str, settings: dict[str, Any], target: str
) -> dict[str, Any]:
    """Draw an atlas in this process, which has imported all that it needs: processor seconds, by stage."""
    before = largest_memory_kib()
    clock = StageClock()
    clock.watch(atlas, STAGES)
    begin = time.process_time()
    index = FeatureIndex.open(offsets)
    atlas.draw_atlas(clustering, index=index, settings=settings, atlas_folder=target, **inputs)
    total = time.process_time() - begin
    figures = sorted(Path(target).glob("cluster=*/pca.png"))
    return {
        "figures": len(figures),
        "total": total,
        "stages": clock.seconds | {"rest": total - sum(clock.seconds.values())},
        "maxrss_before_kib": before,
        "maxrss_kib": largest_memory_kib(),
        "png_bytes": sum(path.stat().st_size for path in figures) // max(1, len(figures)),
    }


def measure_job(arguments: argparse.Namespace) -> dict[str, Any]:
    """The job of one cluster of ten latents in a new process: seconds of the whole process, and of its parts."""
    experiment: Experiment = arguments.experiment
    cluster = experiment.single
    target = experiment.folder / "single"
    asked = json.dumps(described_inputs(experiment) | {"cluster": cluster, "target": str(target)})
    script = str(Path(__file__).with_name("one_figure_job.py"))
    runs = [child([script, asked]) for _ in range(arguments.repetitions)]
    drawn = experiment.folder / "atlas" / f"cluster={cluster:04d}" / "pca.png"
    if drawn.exists() and drawn.read_bytes() != (target / "pca.png").read_bytes():
        raise SystemExit("the cluster drawn alone differs from the one drawn in the batch")
    return sizes_of(experiment) | {
        "cluster_size": experiment.sizes[cluster],
        "cluster_points": experiment.points[cluster],
        "seconds": [wall for _, wall, _ in runs],
        "imports": [run["imports"][0] for run, _, _ in runs],
        "rest": [run["rest"][0] for run, _, _ in runs],
        "processor": {part: [run[part][1] for run, _, _ in runs] for part in ("imports", "rest")},
        "stages": {stage: [run["stages"][stage] for run, _, _ in runs] for stage in runs[0][0]["stages"]},
        "maxrss_kib": max(memory for _, _, memory in runs),
    }


def measure_axes(arguments: argparse.Namespace) -> dict[str, Any]:
    """``pca.png`` of some clusters, beside the same panels made with matplotlib's axes; one turn is all of them."""
    experiment: Experiment = arguments.experiment
    views, names = views_of(experiment, COMPARED)
    target = experiment.folder / "compared.png"

    def ours() -> None:
        for view in views:
            draw_cluster_panel(view, names, target, basis=view.basis)

    def axes() -> None:
        for view in views:
            draw_with_axes(view, names, target, basis=view.basis)

    seconds, _ = take_turns({"ours": ours, "matplotlib's axes": axes}, min(3, arguments.repetitions))
    return {"figures": len(views), "seconds": seconds}


def measure_profile(arguments: argparse.Namespace) -> dict[str, Any]:
    """Where the time of the batch goes: own seconds a figure of the functions that take most, under cProfile."""
    experiment: Experiment = arguments.experiment
    index = FeatureIndex.open(experiment.offsets_path)
    profile = cProfile.Profile()
    target = experiment.folder / "profiled"
    profile.runcall(
        atlas.draw_atlas, CLUSTERING, index=index, settings=SETTINGS, atlas_folder=target, **experiment.inputs
    )
    figures = len(list(target.glob("cluster=*/pca.png")))
    entries = [
        {"function": function_name(key), "calls": entry[1] / figures, "seconds": entry[2] / figures}
        for key, entry in pstats.Stats(profile).stats.items()  # type: ignore[attr-defined]  # typeshed leaves it out
    ]
    entries.sort(key=lambda entry: -entry["seconds"])
    return {"total": sum(entry["seconds"] for entry in entries), "top": entries[:TOP]}


def function_name(key: tuple[str, int, str]) -> str:
    """A function as a profile names it, without folders."""
    file, _, name = key
    return name.strip("<>") if file == "~" else f"{Path(file).name}: {name}"


def views_of(experiment: Experiment, n: int) -> tuple[list[Any], TokenNames]:
    """Some clusters, evenly chosen from the largest to the smallest, and the names of tokens."""
    index = FeatureIndex.open(experiment.offsets_path)
    inputs = experiment.inputs
    decoder = read_decoder(inputs["decoder_path"], n_latents=index.n_latents)
    records = read_clusters(inputs["summary_path"])
    chosen = records[:: max(1, len(records) // n)][:n]
    views = [look_at_cluster(one, CLUSTERING, index=index, decoder=decoder, settings=SETTINGS) for one in chosen]
    return views, TokenNames.read(inputs["vocab_path"], inputs["latent_tokens_path"])


def child(command: list[str]) -> tuple[dict[str, Any], float, int]:
    """What a new process prints, its wall-clock seconds, and the largest memory of any child so far (KiB)."""
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - begin
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return dict(json.loads(done.stdout.splitlines()[-1])), round(seconds, 4), memory


def described_inputs(experiment: Experiment) -> dict[str, Any]:
    """What a child needs to know."""
    return {
        "offsets": str(experiment.offsets_path),
        "inputs": {name: str(path) for name, path in experiment.inputs.items()},
        "clustering": CLUSTERING,
        "settings": SETTINGS,
    }


def sizes_of(experiment: Experiment) -> dict[str, Any]:
    """What is drawn."""
    return {
        "clusters": len(experiment.sizes),
        "sizes": [min(experiment.sizes), max(experiment.sizes)],
        "points": [min(experiment.points), max(experiment.points)],
        "n_tokens": experiment.n_tokens,
        "n_entries": experiment.n_entries,
    }


if __name__ == "__main__":
    sys.exit(main())
