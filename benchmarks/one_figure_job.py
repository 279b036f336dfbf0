"""The job of one cluster's figures, as workflow_scripts/plot_cluster_pca.py does it, in a process of its own.

Prints seconds from the first line of this file: wall clock and processor, of the imports and of the rest.
benchmarks/draw_figures.py starts it.
"""

import time

begin = time.perf_counter(), time.process_time()

import contextlib
import json
import sys
from pathlib import Path

from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.job import job  # noqa: F401  (the workflow's script imports it too)
from coactivation_manifolds.report import cluster_files

with contextlib.suppress(ImportError):
    import pandas  # noqa: F401  (pyarrow imports it for the first array that it makes, wherever it is installed)

imported = time.perf_counter(), time.process_time()


def main() -> int:
    """Draw the cluster that the JSON of the command line describes."""
    from stage_clock import StageClock

    asked = json.loads(sys.argv[1])
    clock = StageClock()
    clock.watch(
        cluster_files,
        {
            "look_at_cluster": "slice and components",
            "write_cluster_page": "cluster.html",
            "write_points": "points.parquet",
            "write_components": "pca.npz",
            "draw_cluster_panel": "two figures",
            "read_clusters": "summary, decoder, texts",
            "read_decoder": "summary, decoder, texts",
        },
    )
    start = time.perf_counter(), time.process_time()
    cluster_files.plot_cluster_pca(
        asked["clustering"],
        asked["cluster"],
        index=FeatureIndex.open(asked["offsets"]),
        settings=asked["settings"],
        folder=Path(asked["target"]),
        **asked["inputs"],
    )
    end = time.perf_counter(), time.process_time()
    imports = [round(imported[k] - begin[k], 4) for k in (0, 1)]
    rest = [round(end[k] - start[k], 4) for k in (0, 1)]
    print(json.dumps({"imports": imports, "rest": rest, "stages": clock.seconds}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
