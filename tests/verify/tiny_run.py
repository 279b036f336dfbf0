"""A run of the workflow's scripts within this process: no Snakemake, so that a whole tiny experiment takes seconds."""

import runpy
from types import SimpleNamespace
from typing import Any

from workflow_clone import ROOT, add_small_experiment

from coactivation_manifolds import paths
from coactivation_manifolds.experiment.config import geometry_settings, harvest_settings, import_settings

NAME = "tiny"
CLUSTERINGS = ["components_j0.20", "components_j0.30", "leiden_cpm_phi_j0.05_r0.050_s0"]
HEADLINE = "components_j0.30"
SHARDS = ("000000", "000001")


class Files:
    """Paths by number and by name, as Snakemake gives them to a script."""

    def __init__(self, **named: Any) -> None:
        self._named = named

    def __iter__(self) -> Any:
        for value in self._named.values():
            yield from value if isinstance(value, list) else [value]

    def __getattr__(self, name: str) -> Any:
        try:
            return self._named[name]
        except KeyError as error:
            raise AttributeError(name) from error

    def get(self, name: str) -> Any:
        return self._named.get(name)

    def items(self) -> Any:
        return self._named.items()


def at(template: str, **wildcards: str) -> str:
    return str(paths.fill(template, experiment=NAME, **wildcards))


def of_shards(template: str) -> list[str]:
    return [at(template, shard=shard) for shard in SHARDS]


def run(rule: str, *, inputs: dict, outputs: dict, params: dict | None = None, **wildcards: str) -> None:
    """Run the script of a rule in the working directory."""
    snakemake = SimpleNamespace(
        rule=rule,
        log=["/".join(["logs", NAME, rule, *wildcards.values()]) + ".log"],
        input=Files(**inputs),
        output=Files(**outputs),
        params=Files(version=1, **(params or {})),
        wildcards=Files(experiment=NAME, **wildcards),
        threads=1,
    )
    runpy.run_path(str(ROOT / f"workflow_scripts/{rule}.py"), init_globals={"snakemake": snakemake})


INDEX = {
    "offsets": paths.INDEX_OFFSETS,
    "token_rows": paths.INDEX_TOKEN_ROWS,
    "values": paths.INDEX_VALUES,
    "tokens": paths.INDEX_TOKENS,
}


def make_tiny_run(clone: Any, config: dict) -> None:
    """Import, index, count, cluster and score 3,000 tokens in two shards; the working directory is the clone's."""
    given = {"activations": import_settings(config)}
    record, decoder = at(paths.IMPORT_RECORD), at(paths.DECODER)
    run(
        "import_activations",
        inputs={"activations": ["data/activations.parquet"]},
        outputs={"record": record, "vocab": at(paths.VOCAB)},
        params=given,
    )
    for shard in SHARDS:
        made = {"manifest": at(paths.MANIFEST, shard=shard)}
        run("publish_import_shard", inputs={"record": record}, outputs=made, shard=shard)
    run(
        "describe_sae",
        inputs={"decoder": ["data/decoder.npy"]},
        outputs={"decoder": decoder, "description": at(paths.SAE_JSON)},
        params={"sae": None, "activations": config["activations"]},
    )
    run(
        "summarize_activations",
        inputs={"manifests": of_shards(paths.MANIFEST), "description": at(paths.SAE_JSON)},
        outputs={
            "experiment": at(paths.EXPERIMENT_JSON),
            "shard_stats": at(paths.SHARD_STATS),
            "feature_counts": at(paths.FEATURE_COUNTS),
        },
        params={"resolved": harvest_settings(config)},
    )
    index = {name: at(template) for name, template in INDEX.items()}
    run("build_index", inputs={"manifests": of_shards(paths.MANIFEST)}, outputs=index)
    count(config, decoder)
    cluster(config, index, decoder)


def count(config: dict, decoder: str) -> None:
    """Both passes and the reduce."""
    floor, positions = config["similarity"]["jaccard_floor"], config["counting"]["positions"]
    for shard in SHARDS:
        made = {"counts": paths.SHARD_COUNTS, "marginals": paths.SHARD_MARGINALS, "totals": paths.SHARD_TOTALS}
        run(
            "count_shard",
            inputs={"manifest": at(paths.MANIFEST, shard=shard)},
            outputs={name: at(template, shard=shard) for name, template in made.items()},
            params={"jaccard_floor": floor, "positions": positions},
            shard=shard,
        )
    counts, marginals = of_shards(paths.SHARD_COUNTS), of_shards(paths.SHARD_MARGINALS)
    run(
        "merge_candidates",
        inputs={"counts": counts, "marginals": marginals},
        outputs={"candidates": at(paths.CANDIDATES)},
        params={"jaccard_floor": floor},
    )
    for shard in SHARDS:
        read = {"manifest": paths.MANIFEST, "counts": paths.SHARD_COUNTS, "marginals": paths.SHARD_MARGINALS}
        run(
            "recount_shard",
            inputs={name: at(template, shard=shard) for name, template in read.items()}
            | {"candidates": at(paths.CANDIDATES)},
            outputs={"recount": at(paths.SHARD_RECOUNT, shard=shard)},
            params={"positions": positions},
            shard=shard,
        )
    run(
        "reduce_counts",
        inputs={
            "counts": counts,
            "recounts": of_shards(paths.SHARD_RECOUNT),
            "marginals": marginals,
            "shard_totals": of_shards(paths.SHARD_TOTALS),
            "decoder": decoder,
        },
        outputs={"edges": at(paths.EDGES), "totals": at(paths.TOTALS), "tail": at(paths.SIMILARITY_TAIL_TABLE)},
        params={key: config["similarity"][key] for key in ("jaccard_floor", "min_count", "min_firings", "max_density")},
    )


def cluster(config: dict, index: dict[str, str], decoder: str) -> None:
    """The clusterings, their sweep, and the numbers of the headline one."""
    edges = at(paths.EDGES)
    for name in CLUSTERINGS:
        made = {"clusters": at(paths.CLUSTERS, clustering=name)}
        run("cluster_edges", inputs={"edges": edges}, outputs=made, clustering=name)
    run(
        "summarize_sweep",
        inputs={"clusters": [at(paths.CLUSTERS, clustering=name) for name in CLUSTERINGS], "edges": edges},
        outputs={"summary": at(paths.SWEEP_SUMMARY)},
        params={"clusterings": CLUSTERINGS},
    )
    run("plot_sweep", inputs={"summary": at(paths.SWEEP_SUMMARY)}, outputs={"figure": at(paths.SWEEP_ELBOW)})
    summary = at(paths.CLUSTERS_SUMMARY, clustering=HEADLINE)
    run(
        "summarize_clusters",
        inputs={
            "clusters": at(paths.CLUSTERS, clustering=HEADLINE),
            "edges": edges,
            "offsets": index["offsets"],
            "token_rows": index["token_rows"],
            "decoder": decoder,
        },
        outputs={"summary": summary},
        clustering=HEADLINE,
    )
    run(
        "measure_clusters",
        inputs={"summary": summary, "index": list(index.values()), "decoder": decoder},
        outputs={"variance": at(paths.VARIANCE, clustering=HEADLINE)},
        params={"settings": geometry_settings(config)},
        clustering=HEADLINE,
    )


def write_experiment(clone: Any) -> None:
    """The experiment's file and its activations."""
    add_small_experiment(clone, NAME, shards=len(SHARDS))
