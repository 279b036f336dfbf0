"""Every path of an experiment, as a template with wildcards: the workflow's rules and the library use the same ones.

The paths are the user interface: a person asks for a result by writing its name (docs/data_format.md).
"""

from __future__ import annotations

from pathlib import Path

ROOT = "results/{experiment}"

EXPERIMENTS = {
    "own": r"[A-Za-z0-9][A-Za-z0-9_.\-]*",
    "shifted": r"[A-Za-z0-9][A-Za-z0-9_.\-]*/null/shift_s(?:0|[1-9][0-9]{0,9})",
}
"""Names of experiments with a file, and of their controls on shifted activations, whose results lie in theirs."""

# [0-9] and not \d, which takes any script's digits; no wildcard holds a slash or begins with a dot, so no path climbs
WILDCARDS = {
    "experiment": "(?:" + "|".join((EXPERIMENTS["shifted"], EXPERIMENTS["own"])) + ")",
    "shard": r"[0-9]{6}",
    "clustering": r"(?:components|leiden|cosine)_[a-z0-9_.]+",
    "cluster": r"[0-9]{4,10}",
}

# what a small model is trained from and into (demo, pydocs)
TRAINED = f"{ROOT}/trained"
TRAINED_MODEL = f"{TRAINED}/model"
TRAINED_SAE = f"{TRAINED}/sae"

# corpus
CORPUS_PLAN = f"{ROOT}/corpus/plan.json"
CORPUS_SHARD = f"{ROOT}/corpus/shard={{shard}}.parquet"
VOCAB = f"{ROOT}/metadata/vocab.parquet"

# activations
MANIFEST = f"{ROOT}/activations/shard={{shard}}/manifest.json"
IMPORT_RECORD = f"{ROOT}/activations/import.json"
EXPERIMENT_JSON = f"{ROOT}/metadata/experiment.json"
SAE_JSON = f"{ROOT}/metadata/sae.json"
DECODER = f"{ROOT}/metadata/decoder.npy"
SHARD_STATS = f"{ROOT}/metadata/shard_stats.parquet"
FEATURE_COUNTS = f"{ROOT}/metadata/feature_counts.parquet"
LATENT_TOKENS = f"{ROOT}/metadata/latent_tokens.parquet"

# feature-major index
INDEX_OFFSETS = f"{ROOT}/index/feature_offsets.npy"
INDEX_TOKEN_ROWS = f"{ROOT}/index/token_rows.npy"
INDEX_VALUES = f"{ROOT}/index/values.npy"
INDEX_TOKENS = f"{ROOT}/index/tokens.arrow"

# counts and edges
SHARD_COUNTS = f"{ROOT}/cooccurrence/shard={{shard}}.parquet"
SHARD_MARGINALS = f"{ROOT}/cooccurrence/shard={{shard}}.marginals.npy"
SHARD_TOTALS = f"{ROOT}/cooccurrence/shard={{shard}}.totals.json"
CANDIDATES = f"{ROOT}/cooccurrence/candidates.parquet"
SHARD_RECOUNT = f"{ROOT}/cooccurrence/shard={{shard}}.recount.parquet"
TOTALS = f"{ROOT}/cooccurrence/totals.json"
EDGES = f"{ROOT}/similarity/edges.parquet"
SIMILARITY_TAIL_TABLE = f"{ROOT}/similarity/tail.parquet"
SIMILARITY_TAIL = f"{ROOT}/similarity/tail.png"
COSINE_NEIGHBORS = f"{ROOT}/similarity/cosine_neighbors.parquet"
COSINE_EDGES = f"{ROOT}/similarity/cosine_edges.parquet"

# clusterings
CLUSTERS = f"{ROOT}/clusters/{{clustering}}/clusters.parquet"
CLUSTERS_SUMMARY = f"{ROOT}/clusters/{{clustering}}/clusters_summary.parquet"
COSINE_SWEEP = f"{ROOT}/similarity/cosine_sweep.parquet"
SWEEP_SUMMARY = f"{ROOT}/sweep/summary.parquet"
SWEEP_ELBOW = f"{ROOT}/sweep/elbow.png"

# geometry
GEOMETRY = f"{ROOT}/geometry/{{clustering}}"
VARIANCE = f"{GEOMETRY}/variance.parquet"
SHAPE_DRAWS = f"{GEOMETRY}/shape_draws.parquet"
SHAPE_TESTS = f"{GEOMETRY}/shape_tests.parquet"
SHAPES_JSON = f"{GEOMETRY}/shapes.json"
CONNECTED_SETS = f"{GEOMETRY}/connected_sets.parquet"
STABILITY = f"{GEOMETRY}/stability.parquet"
SCORES = f"{GEOMETRY}/scores.parquet"
CLUSTER_FOLDER = f"{GEOMETRY}/cluster={{cluster}}"
CLUSTER_PCA = f"{CLUSTER_FOLDER}/pca.png"
CLUSTER_PCA_ACTIVATIONS = f"{CLUSTER_FOLDER}/pca_activations.png"
CLUSTER_PCA_ARRAYS = f"{CLUSTER_FOLDER}/pca.npz"
CLUSTER_POINTS = f"{CLUSTER_FOLDER}/points.parquet"
CLUSTER_PAGE = f"{CLUSTER_FOLDER}/cluster.html"
ATLAS = f"{GEOMETRY}/atlas"
ATLAS_INDEX = f"{ATLAS}/index.html"

# what was found over the whole sweep
FINDS = f"{ROOT}/finds.parquet"
FINDS_SUMMARY = f"{ROOT}/finds_summary.parquet"
GALLERY = f"{ROOT}/gallery"
GALLERY_INDEX = f"{GALLERY}/index.html"

# the same counting and clustering on shifted activations
SHIFT_SUMMARY = f"{ROOT}/null/shift_summary.parquet"

# the planted truth of the demo and its final check
PLANTED_TRUTH = f"{ROOT}/trained/truth.parquet"
PLANTED_CHECK = f"{ROOT}/planted/check.json"
PLANTED_FIGURE = f"{ROOT}/planted/planted.png"
REPORT = f"{ROOT}/report.html"
PROVENANCE = f"{ROOT}/provenance"


def fill(template: str, **wildcards: str | int) -> Path:
    """The path of a template: shards take six digits, clusters at least four."""
    values = dict(wildcards)
    if isinstance(values.get("shard"), int):
        values["shard"] = f"{values['shard']:06d}"
    if isinstance(values.get("cluster"), int):
        values["cluster"] = f"{values['cluster']:04d}"
    return Path(template.format(**values))
