"""Adding up the shards: tokens and L0 of each, firings of each latent, and what is known of how they came about."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.activations.activation_reader import iter_parts, read_manifests
from coactivation_manifolds.activations.token_rows import TokenRows
from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.schemas import FEATURE_COUNTS, SHARD_STATS, conform
from coactivation_manifolds.storage import PathLike, read_json, write_json, write_table

logger = logging.getLogger(__name__)

ROWS_SUMMED_EXACTLY = 8_192
"""A float64 holds the sum of so many float16 exactly: they are multiples of 2^-24 below 2^16, and 2^16 * 2^13 * 2^24 =
2^53."""

_LIMB_BITS = 40


@dataclass
class FeatureSums:
    """Firings of each latent, added up exactly, so that shards and parts can be cut in any way.

    ``low`` + 2^40 ``high`` is the sum of activations in units of 2^-24, an integer: no rounding before the final mean.
    """

    n_latents: int
    count: npt.NDArray[np.int64] = field(init=False)
    largest: npt.NDArray[np.uint16] = field(init=False)
    low: npt.NDArray[np.int64] = field(init=False)
    high: npt.NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.count = np.zeros(self.n_latents, np.int64)
        self.largest = np.zeros(self.n_latents, np.uint16)
        self.low = np.zeros(self.n_latents, np.int64)
        self.high = np.zeros(self.n_latents, np.int64)

    def add(self, rows: TokenRows) -> None:
        """Add some tokens."""
        for start in range(0, rows.n_tokens, ROWS_SUMMED_EXACTLY):
            block = rows.rows(start, min(start + ROWS_SUMMED_EXACTLY, rows.n_tokens))
            self.count += np.bincount(block.feature_ids, minlength=self.n_latents)
            sums = np.bincount(block.feature_ids, block.activations.astype(np.float64), minlength=self.n_latents)
            self.low += np.ldexp(sums, 24).astype(np.int64)
            self.high += self.low >> _LIMB_BITS
            self.low &= (1 << _LIMB_BITS) - 1
            # positive float16 are ordered as their bit patterns are
            np.maximum.at(self.largest, block.feature_ids, block.activations.view(np.uint16))

    @property
    def mean(self) -> npt.NDArray[np.float64]:
        """Mean activation over the tokens where a latent fires, float64 [n_latents]; NaN where it never does."""
        total = np.ldexp(self.high.astype(np.float64), _LIMB_BITS) + self.low
        return np.divide(np.ldexp(total, -24), self.count, where=self.count > 0, out=np.full(self.n_latents, np.nan))

    @property
    def maximum(self) -> npt.NDArray[np.float64]:
        """Largest activation, float64 [n_latents]; 0 where a latent never fires."""
        return self.largest.view(np.float16).astype(np.float64)


def summarize_activations(
    manifest_paths: Sequence[PathLike],
    *,
    resolved: Mapping[str, Any],
    description_path: PathLike | Sequence[PathLike] | None,
    plan_path: PathLike | Sequence[PathLike] | None = None,
    experiment_path: PathLike,
    shard_stats_path: PathLike,
    feature_counts_path: PathLike,
) -> None:
    """Write shard_stats.parquet, feature_counts.parquet and experiment.json (docs/data_format.md).

    Parameters
    ----------
    manifest_paths
        Manifests of all shards, in order.
    resolved
        The experiment's configuration, as far as it decides the activations.
    description_path
        What the SAE says of itself (metadata/sae.json); None or empty where there is no decoder.
    plan_path
        corpus/plan.json; None or empty for imported activations.
    experiment_path, shard_stats_path, feature_counts_path
        The files to write.

    Raises
    ------
    ResultsError
        Shards of different runs or of another text than the plan's, a part that was changed, or a description of an
        SAE of another size.

    """
    manifests = read_manifests(manifest_paths)
    if plan_path:
        check_texts(manifest_paths, manifests, read_json(str(plan_path))["shards"])
    n_latents = int(manifests[0]["n_latents"])
    description = read_json(str(description_path)) if description_path else {}
    if description.get("n_latents", n_latents) != n_latents:
        raise ResultsError(
            f"{description_path} is of an SAE with {description['n_latents']} latents, the activations have "
            f"{n_latents}; delete both and run the same command again"
        )
    sums = FeatureSums(n_latents)
    stats = [shard_stats(path, manifest, sums) for path, manifest in zip(manifest_paths, manifests, strict=True)]
    columns = {name: [row[name] for row in stats] for name in SHARD_STATS.names}
    write_table(conform(columns, SHARD_STATS), shard_stats_path)
    write_table(feature_counts_table(sums), feature_counts_path)
    write_json(describe_experiment(manifests, resolved, description), experiment_path)
    logger.info("%d tokens, %d of %d latents fire", sums_of(manifests)[0], np.count_nonzero(sums.count), n_latents)


def check_texts(
    manifest_paths: Sequence[PathLike], manifests: Sequence[Mapping[str, Any]], planned: Sequence[Mapping[str, Any]]
) -> None:
    """Stop where a shard was harvested from other text than the plan now holds: the corpus was changed since.

    Raises
    ------
    ResultsError
        Naming the first such shard.

    """
    for path, manifest, shard in zip(manifest_paths, manifests, planned, strict=True):
        if manifest["fingerprint"]["corpus_shard"]["sha256"] != shard["sha256"]:
            raise ResultsError(
                f"{path} was harvested from other text than corpus/plan.json now holds: the corpus was changed since; "
                "delete that file and run the same command again: the shard is then made anew"
            )


def shard_stats(manifest_path: PathLike, manifest: Mapping[str, Any], sums: FeatureSums) -> dict[str, Any]:
    """One row of shard_stats.parquet; adds the shard's tokens to ``sums``."""
    smallest: list[float] = []
    largest: list[float] = []
    for rows in iter_parts(manifest_path):
        sums.add(rows)
        if rows.n_entries:
            # positive float16 are ordered as their bit patterns are, which NumPy compares faster
            bits = rows.activations.view(np.uint16)
            smallest.append(float(bits.min(keepdims=True).view(np.float16)[0]))
            largest.append(float(bits.max(keepdims=True).view(np.float16)[0]))
    n_tokens, n_entries = int(manifest["n_tokens"]), int(manifest["n_entries"])
    return {
        "shard": manifest["shard"],
        "n_tokens": n_tokens,
        "n_entries": n_entries,
        "mean_l0": n_entries / n_tokens if n_tokens else None,
        "min_activation": min(smallest, default=None),
        "max_activation": max(largest, default=None),
        "n_raised_to_subnormal": manifest["n_raised_to_subnormal"],
    }


def feature_counts_table(sums: FeatureSums) -> Any:
    """feature_counts.parquet: all latents, those that never fire with count 0 and null activations."""
    fires = sums.count > 0
    return conform(
        {
            "feature_id": np.arange(sums.n_latents),
            "count": sums.count,
            "max_activation": [
                float(value) if fired else None for value, fired in zip(sums.maximum, fires, strict=True)
            ],
            "mean_activation": [float(value) if fired else None for value, fired in zip(sums.mean, fires, strict=True)],
        },
        FEATURE_COUNTS,
    )


def sums_of(manifests: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Tokens and entries of all shards."""
    return sum(int(m["n_tokens"]) for m in manifests), sum(int(m["n_entries"]) for m in manifests)


def describe_experiment(
    manifests: Sequence[Mapping[str, Any]], resolved: Mapping[str, Any], description: Mapping[str, Any]
) -> dict[str, Any]:
    """The content of experiment.json.

    ``fvu`` and ``l0_first_batches`` are means over the first batches of the shards, weighted by their tokens; ``fvu``
    is null for imported activations. ``mean_l0`` is of all tokens. ``guard_rails`` holds what each shard measured.
    """
    n_tokens, n_entries = sums_of(manifests)
    measured = [{"shard": m["shard"], **m["guard_rails"]} for m in manifests if m.get("guard_rails")]
    model = resolved.get("model") or {}
    return {
        "name": resolved.get("name"),
        "n_latents": int(manifests[0]["n_latents"]),
        "d_model": description.get("d_model"),
        "hook_name": description.get("hook_name"),
        "model": model.get("name") or model.get("path") or description.get("model_name"),
        "tokenizer": model.get("name") or model.get("path"),
        "neuronpedia_id": description.get("neuronpedia_id"),
        "n_shards": len(manifests),
        "n_tokens": n_tokens,
        "n_entries": n_entries,
        "mean_l0": n_entries / n_tokens if n_tokens else None,
        "n_raised_to_subnormal": sum(int(m["n_raised_to_subnormal"]) for m in manifests),
        "fvu": weighted_mean(measured, "fvu"),
        "l0_first_batches": weighted_mean(measured, "mean_l0"),
        "guard_rails": measured,
        "notes": [f"shard {m['shard']}: {note}" for m in manifests for note in m.get("notes") or []],
        "sae": dict(description),
        "resolved": dict(resolved),
    }


def weighted_mean(measured: Sequence[Mapping[str, Any]], key: str) -> float | None:
    """Mean of what the shards measured, weighted by the tokens it was measured on; None where none did."""
    known = [(float(row[key]), int(row.get("n_tokens") or 1)) for row in measured if row.get(key) is not None]
    return sum(value * weight for value, weight in known) / sum(weight for _, weight in known) if known else None
