"""Arrow schemas of every Parquet file of an experiment: the one source of columns and types (docs/data_format.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from coactivation_manifolds.errors import InputError

MAX_UINT16_LATENTS = 65_536


def _fields(names: Iterable[str], kind: pa.DataType) -> list[tuple[str, pa.DataType]]:
    return [(name, kind) for name in names]


def feature_id_type(n_latents: int) -> pa.DataType:
    """The type of latent ids: uint16 while every id fits (up to 65,536 latents), uint32 above."""
    return pa.uint16() if n_latents <= MAX_UINT16_LATENTS else pa.uint32()


def activations_schema(n_latents: int) -> pa.Schema:
    """Token-major rows of a part: one row a token, its firing latents and their values."""
    return pa.schema(
        [
            pa.field("doc_id", pa.int64(), nullable=False),
            pa.field("token_index", pa.int64(), nullable=False),
            pa.field("position_in_doc", pa.int32()),
            pa.field("token_id", pa.int32()),
            pa.field("feature_ids", pa.large_list(pa.field("element", feature_id_type(n_latents), nullable=False))),
            pa.field("activations", pa.large_list(pa.field("element", pa.float16(), nullable=False))),
        ]
    )


ACTIVATIONS_STATISTICS = ("doc_id", "token_index", "position_in_doc", "token_id")
"""Columns of activations of which a part notes the smallest and largest value: every part holds rare and frequent
latents, so that those of ids and values would let no reader skip anything."""

ACTIVATIONS_DICTIONARY = (*ACTIVATIONS_STATISTICS, "feature_ids.list.element")
"""Leaf columns of activations that are written with a dictionary: not the values, where it saves no space, and reading
them through it takes four times as long."""


def slice_schema(n_latents: int) -> pa.Schema:
    """Rows of chosen latents, cut out of the index: a part's columns with the token's row in front."""
    return pa.schema([pa.field("token_row", pa.int64(), nullable=False), *activations_schema(n_latents)])


CORPUS_SHARD = pa.schema(
    [
        *_fields(("context", "doc_id", "token_index"), pa.int64()),
        *_fields(("position_in_doc", "token_id"), pa.int32()),
    ]
)

VOCAB = pa.schema([("token_id", pa.int32()), ("text", pa.string())])

SHARD_STATS = pa.schema(
    [
        ("shard", pa.int32()),
        *_fields(("n_tokens", "n_entries"), pa.int64()),
        *_fields(("mean_l0", "min_activation", "max_activation"), pa.float64()),
        ("n_raised_to_subnormal", pa.int64()),
    ]
)

FEATURE_COUNTS = pa.schema(
    [
        ("feature_id", pa.uint32()),
        ("count", pa.int64()),
        *_fields(("max_activation", "mean_activation"), pa.float64()),
    ]
)

LATENT_TOKENS = pa.schema(
    [
        ("feature_id", pa.uint32()),
        *_fields(("rank", "token_id"), pa.int32()),
        ("count", pa.int64()),
        ("mean_activation", pa.float64()),
    ]
)

INDEX_TOKENS = pa.schema(
    [
        *_fields(("doc_id", "token_index"), pa.int64()),
        *_fields(("position_in_doc", "token_id"), pa.int32()),
    ]
)

PAIR_COUNTS = pa.schema([("feature_a", pa.uint32()), ("feature_b", pa.uint32()), ("n_ab", pa.int64())])
CANDIDATES = pa.schema([("feature_a", pa.uint32()), ("feature_b", pa.uint32())])

EDGES = pa.schema(
    [
        *_fields(("feature_a", "feature_b"), pa.uint32()),
        *_fields(("n_a", "n_b", "n_ab"), pa.int64()),
        *_fields(("jaccard", "dice", "overlap", "phi", "log_lift", "expected", "z", "log10_p"), pa.float64()),
        *_fields(("log10_q", "cosine"), pa.float64()),
    ]
)

SIMILARITY_TAIL = pa.schema([("jaccard", pa.float64()), ("n_pairs", pa.int64()), ("share_of_pairs", pa.float64())])

COSINE_NEIGHBORS = pa.schema(
    [
        ("feature_id", pa.uint32()),
        ("rank", pa.int32()),
        ("neighbor_id", pa.uint32()),
        ("cosine", pa.float64()),
    ]
)
COSINE_EDGES = pa.schema([("feature_a", pa.uint32()), ("feature_b", pa.uint32()), ("cosine", pa.float64())])
COSINE_SWEEP = pa.schema([("clustering", pa.string()), ("feature_id", pa.uint32()), ("cluster_id", pa.int32())])

CLUSTERS = pa.schema([("feature_id", pa.uint32()), ("cluster_id", pa.int32())])

CLUSTERS_SUMMARY = pa.schema(
    [
        ("cluster_id", pa.int32()),
        ("size", pa.int64()),
        ("members", pa.list_(pa.uint32())),
        *_fields(("mean_jaccard", "min_jaccard"), pa.float64()),
        ("n_pairs_present", pa.int64()),
        *_fields(("mean_cosine", "min_cosine", "max_cosine"), pa.float64()),
        ("n_tokens_any", pa.int64()),
        ("cosine_match_id", pa.int32()),
        *_fields(("cosine_match_jaccard", "cosine_best_jaccard"), pa.float64()),
        ("missed_by_cosine", pa.bool_()),
        ("members_sha", pa.string()),
    ]
)

SWEEP_SUMMARY = pa.schema(
    [
        *_fields(("clustering", "method"), pa.string()),
        *_fields(("threshold", "resolution"), pa.float64()),
        *_fields(("n_edges", "n_clusters", "n_clustered"), pa.int64()),
        ("median_size", pa.float64()),
        ("max_size", pa.int64()),
        *_fields(("modularity", "ami_cosine"), pa.float64()),
    ]
)

SHIFT_SUMMARY = pa.schema(
    [
        *_fields(("shift_seed", "n_edges", "n_edges_significant"), pa.int64()),
        ("clustering", pa.string()),
        *_fields(("n_clusters", "n_clustered", "max_size", "n_with_points"), pa.int64()),
    ]
)

PLANTED_TRUTH = pa.schema(
    [
        ("doc_id", pa.int64()),
        ("position_in_doc", pa.int32()),
        ("process", pa.string()),
        *_fields(("cos", "sin", "p1", "p2", "p3"), pa.float64()),
    ]
)

N_COMPONENTS = 5

SHAPE_NAMES = ("circle", "simplex", "helix", "curve")
"""Names that a cluster may be called by; the registry of shapes tells simplices apart by their vertices."""


VARIANCE = pa.schema(
    [
        ("cluster_id", pa.int32()),
        ("n_points", pa.int64()),
        *_fields((f"evr_recon_pc{i}" for i in range(1, N_COMPONENTS + 1)), pa.float64()),
        *_fields((f"evr_act_pc{i}" for i in range(1, N_COMPONENTS + 1)), pa.float64()),
    ]
)


def shape_draws_schema(statistics: Sequence[str]) -> pa.Schema:
    """Statistics of the observed cluster (draw 0) and of each null draw, named ``{basis}_{shape}``."""
    return pa.schema([("cluster_id", pa.int32()), ("draw", pa.int32()), *_fields(statistics, pa.float64())])


_IRREDUCIBLE = _fields(("separability_bits", "mixture_index"), pa.float64())

SHAPE_TESTS = pa.schema(
    [
        ("cluster_id", pa.int32()),
        *_fields(("n_points", "n_draws"), pa.int64()),
        ("p_any", pa.float64()),
        *_fields(("candidate", "candidate_basis"), pa.string()),
        ("candidate_vertices", pa.int32()),
        ("effect", pa.float64()),
        ("if_not_called", pa.string()),
        *_fields(
            (f"{shape}_{what}" for shape in SHAPE_NAMES for what in ("statistic", "p", "p_activations")), pa.float64()
        ),
        *_IRREDUCIBLE,
        ("engels_score", pa.float64()),
    ]
)

_STABILITIES = _fields(("stability_seeds", "stability_shards", "stability_sweep", "stability"), pa.float64())

STABILITY = pa.schema([("cluster_id", pa.int32()), *_STABILITIES])

CONNECTED_SETS = pa.schema(
    [
        ("cluster_id", pa.int32()),
        *_fields(("shape", "basis"), pa.string()),
        *_fields(("statistic", "mean_jaccard"), pa.float64()),
        ("n_sets", pa.int64()),
        *_fields(("sets_mean_jaccard", "sets_median", "sets_q95", "p_connected"), pa.float64()),
    ]
)

SCORES = pa.schema(
    [
        *VARIANCE,
        pa.field("shape", pa.string()),
        pa.field("basis", pa.string()),
        pa.field("n_vertices", pa.int32()),
        *_fields(("q_value", "effect"), pa.float64()),
        *_fields(
            (f"{shape}_{what}" for shape in SHAPE_NAMES for what in ("statistic", "p", "q", "p_activations")),
            pa.float64(),
        ),
        *_fields(("p_any", "q_any"), pa.float64()),
        ("n_draws", pa.int64()),
        *_IRREDUCIBLE,
        ("engels_rank", pa.int32()),
        ("p_connected", pa.float64()),
        *_STABILITIES,
        ("missed_by_cosine", pa.bool_()),
        ("rank", pa.int32()),
    ]
)

FINDS = pa.schema(
    [
        ("find_id", pa.int32()),
        *_fields(("graph", "shape", "basis"), pa.string()),
        ("n_vertices", pa.int32()),
        *_fields(("q_value", "effect", "p_any"), pa.float64()),
        *_fields(("n_draws", "n_points", "size"), pa.int64()),
        ("members", pa.list_(pa.uint32())),
        *_fields(("members_sha", "clustering"), pa.string()),
        ("cluster_id", pa.int32()),
        ("clusterings", pa.list_(pa.string())),
        *_fields(("min_threshold", "max_threshold"), pa.float64()),
        ("n_sets", pa.int64()),
        *_IRREDUCIBLE,
        *_fields(("p_connected", "stability"), pa.float64()),
        ("missed_by_cosine", pa.bool_()),
        ("cosine_best_jaccard", pa.float64()),
    ]
)

FINDS_SUMMARY = pa.schema(
    [
        ("kind", pa.string()),
        *_fields(("shift_seed", "n_clusterings", "n_tested", "n_called"), pa.int64()),
        *_fields((f"n_{shape}" for shape in SHAPE_NAMES), pa.int64()),
        ("n_missed_by_cosine", pa.int64()),
        ("smallest_q", pa.float64()),
    ]
)

POINTS = pa.schema(
    [("token_row", pa.int64())]
    + [(f"pc{i}", pa.float64()) for i in range(1, N_COMPONENTS + 1)]
    + [
        *_fields(("token_id", "next_token_id"), pa.int32()),
        *_fields(("token", "next_token"), pa.string()),
        ("position_in_doc", pa.int32()),
    ]
)


def conform(columns: Mapping[str, object], schema: pa.Schema) -> pa.Table:
    """Build a table of exactly this schema from columns (arrays or Arrow arrays), in the schema's order."""
    arrays = [pa.array(columns[field.name], type=field.type, from_pandas=False) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def require_columns(table: pa.Table, schema: pa.Schema, path: Path | str) -> None:
    """Stop where a file of ours lacks a column of its schema or has it in another type."""
    for field in schema:
        if field.name not in table.schema.names:
            raise InputError(f"{path} lacks the column {field.name!r}; delete it and make it anew")
        found = table.schema.field(field.name).type
        if found != field.type:
            raise InputError(f"{path}: column {field.name!r} is {found}, expected {field.type}; make it anew")
