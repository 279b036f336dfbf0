"""Write docs/scaling.md: what very large experiments would take, on paper, from the rates that the package ships.

.venv/bin/python docs/write_scaling.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import fill
from typing import NamedTuple

from coactivation_manifolds.estimate.prediction import Estimate, Given, Machines, StageEstimate, critical_path, predict
from coactivation_manifolds.estimate.rates import Rates, read_rates
from coactivation_manifolds.estimate.text import bytes_text, duration, short
from coactivation_manifolds.experiment.config import batches_per_part, contexts_per_batch, load_experiment
from coactivation_manifolds.experiment.expected_files import per_shard
from coactivation_manifolds.experiment.files import Config, merge

PAGE = Path("docs/scaling.md")
BASE = "gemma-2-2b_layer12_65k"
NODES = (8, 64, 512)
SHARDS = (500_000, 2_000_000, 8_000_000)
NODES_OF_SHARDS = 64
CORES, GPUS, MEMORY = 32, 4, 256e9
NOTED = 6
FILES_A_SHARD = len(per_shard(load_experiment(BASE)))


class Workload(NamedTuple):
    """An experiment that nobody has run."""

    n_latents: int
    n_tokens: int
    shard_tokens: int
    mean_l0: float


WORKLOADS = (Workload(262_144, 100_000_000, 500_000, 100.0), Workload(1_048_576, 1_000_000_000, 500_000, 100.0))


def main() -> int:
    """Write the page."""
    rates = read_rates()
    parts = [BEFORE_A_RUN, ON_PAPER, assumptions_text(rates)]
    parts += [*(workload_text(workload, rates) for workload in WORKLOADS), ADVICE]
    PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return 0


def wrapped(text: str) -> str:
    """A paragraph in lines of the width of the other pages."""
    return fill(text, 120, break_long_words=False, break_on_hyphens=False)


def config_of(workload: Workload) -> Config:
    """The reference experiment with another size."""
    sizes = {
        "corpus": {"n_tokens": workload.n_tokens},
        "harvest": {"tokens_per_shard": workload.shard_tokens},
    }
    return merge(load_experiment(BASE), sizes)


def estimate_of(workload: Workload, rates: Rates, nodes: int) -> Estimate:
    """The run on some nodes."""
    given = Given(n_latents=workload.n_latents, mean_l0=workload.mean_l0)
    machines = Machines(cores=nodes * CORES, gpus=nodes * GPUS)
    return predict(config_of(workload), rates, machines=machines, given=given)


def workload_text(workload: Workload, rates: Rates) -> str:
    """What one workload takes."""
    estimates = {nodes: estimate_of(workload, rates, nodes) for nodes in NODES}
    first = estimates[NODES[0]]
    sizes, config = first.sizes, config_of(workload)
    batch = contexts_per_batch(config) * config["corpus"]["context_length"]
    n_jobs = sum(found.stage.n_jobs for found in first.stages)
    parts = workload.n_tokens / (batch * batches_per_part(config))
    planning = rates.plan_seconds + rates.plan_seconds_a_job * n_jobs
    lines = [
        f"### {workload.n_latents:,} latents, {workload.n_tokens:,} tokens",
        wrapped(
            f"{sizes.n_shards:,} shards of {workload.shard_tokens:,} tokens: {short(sizes.entries)} entries, "
            f"{short(sizes.increments)} increments, {n_jobs:,} jobs, {short(parts)} part files beside "
            f"{short(FILES_A_SHARD * sizes.n_shards)} other files of shards. Snakemake plans for {duration(planning)}. "
            f"All files: {bytes_text(sum(found.disk for found in first.stages))}."
        ),
        nodes_table(estimates),
        f"The jobs behind it (the {NOTED} longest in all, and the largest):",
        jobs_table(first),
        f"Larger shards keep fewer pairs by chance; on {NODES_OF_SHARDS} nodes:",
        shards_table(workload, rates),
    ]
    return "\n\n".join(lines)


def nodes_table(estimates: dict[int, Estimate]) -> str:
    """Elapsed time by nodes, and what the end waits for."""
    rows = ["| nodes | from start to end | waits longest for | next |", "|---|---|---|---|"]
    for nodes, estimate in estimates.items():
        chain = sorted(critical_path(estimate), key=lambda part: -part[1])[:2]
        waits = " | ".join(f"{found.stage.name}: {duration(seconds)}{alone(found)}" for found, seconds in chain)
        rows.append(f"| {nodes} | {duration(estimate.elapsed)} | {waits} |")
    return "\n".join(rows)


def shards_table(workload: Workload, rates: Rates) -> str:
    """What the size of shards changes."""
    rows = [
        "| tokens a shard | shards | pairs of each | candidates | start to end | waits longest for | count_shard |",
        "|---|---|---|---|---|---|---|",
    ]
    for tokens in SHARDS:
        found = estimate_of(workload._replace(shard_tokens=tokens), rates, NODES_OF_SHARDS)
        longest, seconds = max(critical_path(found), key=lambda part: part[1])
        count = next(stage for stage in found.stages if stage.stage.name == "count_shard")
        sizes = found.sizes
        rows.append(
            f"| {tokens:,} | {sizes.n_shards:,} | {short(sizes.shard_pairs)} | {short(sizes.candidates)} | "
            f"{duration(found.elapsed)} | {longest.stage.name}: {duration(seconds)} | "
            f"{duration(count.seconds)}, {bytes_text(count.memory)} |"
        )
    return "\n".join(rows)


def alone(found: StageEstimate) -> str:
    """Whether it is a single job."""
    return ", one job" if found.stage.n_jobs == 1 else f", {found.stage.n_jobs:,} jobs"


def jobs_table(estimate: Estimate) -> str:
    """The stages with most work, and those of the largest memory and disk."""
    by_work = sorted(estimate.stages, key=lambda found: -found.seconds * found.stage.n_jobs)[:NOTED]
    large = [max(estimate.stages, key=lambda found: found.memory), max(estimate.stages, key=lambda found: found.disk)]
    rows = ["| stage | jobs | one job | memory of a job | disk |", "|---|---|---|---|---|"]
    for found in estimate.stages:
        if found in by_work or found in large:
            name = f"{found.stage.name}{' (assumed rates)' if found.assumed else ''}"
            memory = bytes_text(found.memory) + (", more than a node has" if found.memory > MEMORY else "")
            rows.append(
                f"| {name} | {found.stage.n_jobs:,} | {duration(found.seconds)} | {memory} | "
                f"{bytes_text(found.disk) if found.disk else ''} |"
            )
    return "\n".join(rows)


def assumptions_text(rates: Rates) -> str:
    """Where the rates are from."""
    sources = dict.fromkeys(stage.measured for stage in rates.stages.values() if not stage.is_assumed)
    measured = f"Rates measured on: {'; '.join(sources)}." if sources else "No rate was measured."
    assumed = [name for name, stage in rates.stages.items() if stage.is_assumed]
    return wrapped(
        f"A node has {CORES} cores, {GPUS} GPUs and {bytes_text(MEMORY)} of memory; the model is Gemma-2-2b up to "
        f"block 12, with an SAE of so many latents and L0 {WORKLOADS[0].mean_l0:.0f}. {measured} Assumed, not "
        f"measured: {', '.join(assumed) or 'none'}."
    )


BEFORE_A_RUN = """# Scaling

<!-- Made by `python docs/write_scaling.py`; edit that, then run it again. -->

## Before a run

```
coactivation-manifolds estimate mine                       # an experiment's name, or its file, as `validate` takes it
coactivation-manifolds estimate mine --gpus 8 --cores 64 --mean-l0 60 --harvest-tokens-per-second 20_000
```

prints tokens, shards, entries and increments, and for each stage jobs, hours, memory and disk, the time from start to
end, and which stage that time waits for. Nothing is loaded or downloaded.

A stage's cost is a sum over units of its work, each with a rate: entries N E[k], increments N E[k (k - 1)] / 2 (k
latents on a token: the second moment counts, not the mean alone), pairs, edges, clusters. Stages whose rates were never
measured are marked `~`. Pairs and clusters depend on the SAE: those that reach the floor by chance are computed from
how unequal the latents' rates are, the others taken from the runs of the rates. Candidates, of the pairs that shards
keep those that can still reach the floor over the whole corpus, are the edges and a share of the rest. The shipped
share is of 40 shards; with fewer shards it is larger.

So the best estimate comes from a small run of your own: the same SAE, a few shards of the size that the large run will
have, on the machine that it will run on.

```
coactivation-manifolds estimate mine --calibrate results/mine_small                    # or several, of different sizes
coactivation-manifolds estimate mine --calibrate results/mine_small --write-rates here.yaml
coactivation-manifolds estimate mine --rates here.yaml                                 # any part of the shipped rates
```

The rates come from `provenance/`, Snakemake's tables in `logs/` and the sizes of the files, so a run that shared its
machine gives rates of a shared machine, and the first run of a clone has compiled the counting kernel. How well a
prediction agrees with a run is in [benchmarks](benchmarks.md): `python benchmarks/check_estimate.py`.

Training of a small model (`demo`, `pydocs`) is not estimated. Shifted controls (`control.shift_seeds`) are not in the
estimate either: each seed repeats the index, the counting and some clusterings. Memory is that of a mean shard, and of
clusters whose largest is to their mean as in the runs of the rates. Disk is what stays: while `build_index` runs, the
postings beyond the 2e8 that it keeps in memory lie on the disk twice. Clusters to draw are as many as in the runs of
the rates: with other bounds on their size (`clustering.min_size`, `max_size`) there are others."""

ON_PAPER = """## Far larger, on paper

The same computation far beyond the sizes at which the rates of the package
(`coactivation_manifolds/estimate/rates.yaml`) were measured. Nothing here was run. It says what would become the
bottleneck first. The measured rates are of one run on synthetic activations (65,536 latents, 10 million tokens, 40
shards), with other jobs beside some of them. One run gives the sum for a job and not how it divides into units: that
was assumed, but for `draw_atlas`, whose figures were told apart by when each was written."""

ADVICE = """### What gives way first, and what to do

Jobs that exist once do not gain from nodes: the tables say which of them the end waits for. What to do about each:

- **Figures** (`draw_atlas`, `measure_clusters`) take the clusters one after another, and their time follows the points
  of all drawn clusters, their memory those of the largest, which may hold nearly all tokens. Draw fewer: smaller
  `clustering.max_size`, a higher `geometry.min_active`, a clustering with a higher threshold; or ask for the figures
  of single clusters, each of which is a job of its own (`plot_cluster_pca`). Jobs for parts of the atlas would divide
  it.
- **Pairs by chance**: where most latents fire only some dozen times in a shard, two that meet once or twice reach the
  floor there, and every shard keeps other such pairs. Nearly all of them are left out of the candidates, as they can't
  reach the floor over the whole corpus, so `recount_shard` stays small; but `merge_candidates` and `reduce_counts`
  read every pair of every shard, in one job each, and the files of the shards fill the disk. Larger shards (up to 2^24
  tokens at a million latents), a higher `similarity.jaccard_floor`, or fewer latents (`min_firings` acts only in the
  reduce) end it: try the sizes with `coactivation-manifolds estimate` first.
- **Cosine neighbours** (`find_cosine_neighbors`) compare every decoder row with every other: the square of the latents
  times d_model, in one job of two threads. It needs nothing of the counts but their number. Give the rule more
  threads, or a GPU's BLAS; cut by rows it would be as many jobs as wanted. The same job computes what is only a
  comparison: leave the decoder out (imports) where no comparison with cosine is wanted.
- **The index** (`build_index`) reads the shards once, in one job of two threads, and its time is linear in the entries.
  It keeps 2e8 postings in memory; those beyond go to temporary files beside the index, which are merged in the end. A
  node of much memory saves that detour with a larger `ENTRIES_IN_MEMORY` of `activations/index_build.py`: 2e10 postings
  take 120 GB. It does not wait for the counting, nor the counting for it.
- **Tokens of latents, summaries of activations** (`rank_latent_tokens`, `summarize_activations`) read every entry in
  one job, and the first holds a row for each token. Both are sums over shards, and could be a job a shard.
- **The merge and the reduce** (`merge_candidates`, `reduce_counts`) go through sorted files by ranges of latents: their
  time follows the rows that shards keep, their memory a range of rows and, in the merge, 4 bytes for each latent of
  each shard: 8 GB for a million latents and 2,000 shards.
- **Shards at a million latents**: ids take four bytes, a job's memory follows the entries of a shard, and one shard
  holds at most 2^24 tokens. Shards of 500,000 tokens stay within a few gigabytes.
- **Files**: parts hold about 8,000 tokens, so that a killed harvest loses little. For 1e9 tokens raise
  `harvest.tokens_per_part` to 65,536 or more: file systems of clusters suffer from very many small files.
- **Snakemake's planning** stays short as long as shards number in the thousands: larger shards, not more of them.
  The scheduler of a cluster is slower than Snakemake: set `max-jobs-per-second` in the profile as its owners ask."""


if __name__ == "__main__":
    sys.exit(main())
