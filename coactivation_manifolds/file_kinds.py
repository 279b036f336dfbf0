"""Every kind of file of an experiment, one line each: its path, the rule that makes it, and what it must look like.

``verify``, ``explain``, ``export`` and ``targets`` walk over this table. A new file needs its line here; a test
compares the table with the outputs of the rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import pyarrow as pa

from coactivation_manifolds import paths, schemas
from coactivation_manifolds.paths import WILDCARDS

PART = f"{paths.ROOT}/activations/shard={{shard}}/part-{{part}}.parquet"
NUMBER_OF_PART = r"\d{5,}"
NUMBER_OF_FIND = r"\d+"
ACTIVATIONS = (schemas.activations_schema(1), schemas.activations_schema(schemas.MAX_UINT16_LATENTS + 1))


@dataclass(frozen=True)
class FileKind:
    """One kind of file.

    Attributes
    ----------
    template
        Its path, as in ``paths``.
    made_by
        The rule that makes it; several where the experiment decides which.
    schemas
        The Arrow schemas that it may have: all fields must be there, in these types; none for other files.
    dtype
        The types that an array may have, as NumPy names them.
    keys
        Keys that a JSON object must have.
    commit
        The declared output that vouches for it, where it is none itself: deleting that makes this file anew.
    exported
        Whether a paper's supplement takes it along.

    """

    template: str
    made_by: tuple[str, ...]
    schemas: tuple[pa.Schema, ...] = ()
    dtype: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    commit: str | None = None
    exported: bool = False

    @property
    def target(self) -> str:
        """Template of what Snakemake is asked for."""
        return self.commit or self.template

    @property
    def is_in_folder(self) -> bool:
        """Whether what vouches for it is a folder that one job makes as a whole."""
        return self.commit is not None and "." not in self.commit.rpartition("/")[2]

    @property
    def stage(self) -> str:
        """The folder of its stage; ``report`` for what lies beside the report."""
        parts = self.template.split("/")
        return parts[2] if len(parts) > 3 else "report"

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """A path of this kind, with its wildcards as groups; a wildcard that comes again must have the same value."""
        known = WILDCARDS | {"part": NUMBER_OF_PART, "find": NUMBER_OF_FIND}
        text, seen = re.escape(self.template).replace(r"\{", "{").replace(r"\}", "}"), set[str]()

        def group(found: re.Match[str]) -> str:
            name = found[1]
            again = name in seen
            seen.add(name)
            return f"(?P={name})" if again else f"(?P<{name}>{known[name]})"

        return re.compile(re.sub(r"\{(\w+)\}", group, text))

    def record_names(self, wildcards: Mapping[str, str]) -> list[str]:
        """The files of ``provenance/`` that may tell how a file with these wildcards was made."""
        names = [name for name in re.findall(r"\{(\w+)\}", self.target) if name != "experiment"]
        values = "".join(f".{wildcards[name]}" for name in dict.fromkeys(names))
        return [f"{rule}{values}.json" for rule in self.made_by]


def table(
    template: str, made_by: str, *kinds: pa.Schema, exported: bool = False, commit: str | None = None
) -> FileKind:
    """A Parquet or Arrow table."""
    return FileKind(template, tuple(made_by.split()), schemas=kinds, exported=exported, commit=commit)


def record(template: str, made_by: str, *keys: str, exported: bool = False) -> FileKind:
    """A JSON object."""
    return FileKind(template, tuple(made_by.split()), keys=keys, exported=exported)


def array(template: str, made_by: str, *dtype: str) -> FileKind:
    """A NumPy array."""
    return FileKind(template, tuple(made_by.split()), dtype=dtype)


def other(template: str, made_by: str, *, exported: bool = True, commit: str | None = None) -> FileKind:
    """A picture, a page, an archive of arrays, or a file of another program."""
    return FileKind(template, (made_by,), exported=exported, commit=commit)


def trained(name: str, made_by: str) -> FileKind:
    """A file below ``trained/``: of transformers, sae-lens, or ours."""
    return other(f"{paths.TRAINED}/{name}", made_by, exported=False)


def drawn(folder: str, made_by: str, *names: str) -> tuple[FileKind, ...]:
    """The files of a folder of figures that is declared as a whole."""
    return tuple(other(f"{folder}/{name}", made_by, commit=folder) for name in names)


TOTALS_KEYS = ("n_tokens", "n_entries", "k_t", "n_edges", "jaccard_floor", "min_count", "min_firings", "max_density")
OF_A_CLUSTER = ("pca.png", "pca.npz", "cluster.html", "thumbnail.png")
MAKERS_OF_SHARDS = "harvest_shard publish_import_shard shift_shard"

FILES = (
    *(
        trained(name, "make_training_corpus")
        for name in ("training.jsonl", "harvest.jsonl", "tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json")
    ),
    *(
        trained(name, "train_language_model")
        for name in (
            "model/config.json",
            "model/model.safetensors",
            "model/tokenizer.json",
            "model/tokenizer_config.json",
            "model_losses.json",
        )
    ),
    *(trained(name, "train_sae") for name in ("sae/cfg.json", "sae/sae_weights.safetensors", "sae_losses.json")),
    table(paths.PLANTED_TRUTH, "make_training_corpus", schemas.PLANTED_TRUTH),
    record(paths.CORPUS_PLAN, "plan_corpus", "settings", "shards", "n_tokens"),
    table(paths.CORPUS_SHARD, "plan_corpus", schemas.CORPUS_SHARD, commit=paths.CORPUS_PLAN),
    table(paths.VOCAB, "plan_corpus import_activations", schemas.VOCAB),
    record(paths.MANIFEST, MAKERS_OF_SHARDS, "shard", "n_latents", "n_tokens", "n_entries", "parts", "fingerprint"),
    table(PART, MAKERS_OF_SHARDS, *ACTIVATIONS, commit=paths.MANIFEST),
    record(paths.IMPORT_RECORD, "import_activations", "files", "shards"),
    record(paths.EXPERIMENT_JSON, "summarize_activations", "n_latents", "n_tokens", "n_entries", exported=True),
    record(paths.SAE_JSON, "describe_sae", exported=True),
    array(paths.DECODER, "describe_sae", "float32"),
    table(paths.SHARD_STATS, "summarize_activations", schemas.SHARD_STATS, exported=True),
    table(paths.FEATURE_COUNTS, "summarize_activations", schemas.FEATURE_COUNTS, exported=True),
    table(paths.LATENT_TOKENS, "rank_latent_tokens", schemas.LATENT_TOKENS, exported=True),
    array(paths.INDEX_OFFSETS, "build_index", "int64"),
    array(paths.INDEX_TOKEN_ROWS, "build_index", "uint32", "uint64"),
    array(paths.INDEX_VALUES, "build_index", "float16"),
    table(paths.INDEX_TOKENS, "build_index", schemas.INDEX_TOKENS),
    table(paths.SHARD_COUNTS, "count_shard", schemas.PAIR_COUNTS),
    array(paths.SHARD_MARGINALS, "count_shard", "int64"),
    record(paths.SHARD_TOTALS, "count_shard", "n_latents", "n_tokens", "n_entries", "k_t"),
    table(paths.CANDIDATES, "merge_candidates", schemas.CANDIDATES),
    table(paths.SHARD_RECOUNT, "recount_shard", schemas.PAIR_COUNTS),
    record(paths.TOTALS, "reduce_counts", *TOTALS_KEYS, exported=True),
    table(paths.EDGES, "reduce_counts", schemas.EDGES, exported=True),
    table(paths.SIMILARITY_TAIL_TABLE, "reduce_counts", schemas.SIMILARITY_TAIL, exported=True),
    other(paths.SIMILARITY_TAIL, "plot_similarity_tail"),
    table(paths.COSINE_NEIGHBORS, "find_cosine_neighbors", schemas.COSINE_NEIGHBORS, exported=True),
    table(paths.COSINE_EDGES, "find_cosine_neighbors", schemas.COSINE_EDGES, exported=True),
    table(paths.COSINE_SWEEP, "sweep_cosine", schemas.COSINE_SWEEP, exported=True),
    table(paths.CLUSTERS, "cluster_edges", schemas.CLUSTERS, exported=True),
    table(paths.CLUSTERS_SUMMARY, "summarize_clusters", schemas.CLUSTERS_SUMMARY, exported=True),
    table(paths.SWEEP_SUMMARY, "summarize_sweep", schemas.SWEEP_SUMMARY, exported=True),
    other(paths.SWEEP_ELBOW, "plot_sweep"),
    table(paths.VARIANCE, "measure_clusters", schemas.VARIANCE, exported=True),
    table(paths.SHAPE_DRAWS, "draw_nulls", schemas.shape_draws_schema(())),
    table(paths.SHAPE_TESTS, "test_shapes", schemas.SHAPE_TESTS, exported=True),
    record(paths.SHAPES_JSON, "test_shapes", exported=True),
    table(paths.STABILITY, "measure_stability", schemas.STABILITY, exported=True),
    table(paths.CONNECTED_SETS, "compare_connected_sets", schemas.CONNECTED_SETS, exported=True),
    table(paths.SCORES, "rank_clusters", schemas.SCORES, exported=True),
    table(paths.FINDS, "collect_finds", schemas.FINDS, exported=True),
    table(paths.FINDS_SUMMARY, "summarize_finds", schemas.FINDS_SUMMARY, exported=True),
    *drawn(
        paths.GALLERY,
        "draw_gallery",
        *("index.html", "readings.json"),
        *(f"find={{find}}/{name}" for name in ("shape.png", "pca.png", "cluster.html")),
    ),
    other(paths.CLUSTER_PCA, "plot_cluster_pca"),
    other(paths.CLUSTER_PCA_ACTIVATIONS, "plot_cluster_pca"),
    other(paths.CLUSTER_PCA_ARRAYS, "plot_cluster_pca"),
    table(paths.CLUSTER_POINTS, "plot_cluster_pca", schemas.POINTS, exported=True),
    other(paths.CLUSTER_PAGE, "plot_cluster_pca"),
    *drawn(paths.ATLAS, "draw_atlas", "index.html", *(f"cluster={{cluster}}/{name}" for name in OF_A_CLUSTER)),
    table(paths.SHIFT_SUMMARY, "summarize_shifts", schemas.SHIFT_SUMMARY, exported=True),
    record(paths.PLANTED_CHECK, "check_planted_truth", "summary_lines", exported=True),
    other(paths.PLANTED_FIGURE, "check_planted_truth"),
    other(paths.REPORT, "write_report"),
)
"""All kinds, in the order in which they are made."""


@lru_cache(maxsize=100_000)
def kind_of(path: str) -> tuple[FileKind, Mapping[str, str]] | None:
    """The kind of a path under ``results/`` and its wildcards; None for a path that no rule declares."""
    for kind in FILES:
        found = kind.pattern.fullmatch(path)
        if found:
            return kind, found.groupdict()
    return None
