"""A `training` section so small that the whole chain trains in seconds."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from coactivation_manifolds.training.recipes import make_training_corpus

TINY: dict[str, Any] = {
    "recipe": "planted",
    "cpu_threads": 1,
    "planted": {
        "simplex": "filled",
        "ring_share": 0.4,
        "simplex_share": 0.3,
        "training_documents": 80,
        "harvest_documents": 20,
        "words_per_document": 15,
    },
    "model": {
        "context_length": 16,
        "packing": "documents",
        "d_model": 16,
        "n_layers": 2,
        "n_heads": 2,
        "steps": 12,
        "batch_size": 8,
        "learning_rate": 0.003,
        "warmup_steps": 3,
        "final_learning_rate_share": 0.02,
        "weight_decay": 0.1,
        "held_out_documents": 16,
    },
    "sae": {
        "hook": "blocks.0.hook_resid_post",
        "architecture": "batchtopk",
        "d_sae": 24,
        "k": 2.5,
        "n_vectors": 600,
        "steps": 20,
        "batch_size": 64,
        "learning_rate": 0.01,
        "dead_feature_window": 10,
    },
}


def tiny(**changes: dict[str, Any]) -> dict[str, Any]:
    """The tiny section with keys of its parts changed."""
    training = copy.deepcopy(TINY)
    for section, keys in changes.items():
        training[section].update(keys)
    return training


def write_corpus(training: dict[str, Any], folder: Path, *, seed: int = 0) -> Path:
    """Write corpus, tokenizer and truth as the workflow does; returns the folder."""
    make_training_corpus(
        training,
        seed=seed,
        training_path=folder / "training.jsonl",
        harvest_path=folder / "harvest.jsonl",
        tokenizer_folder=folder / "tokenizer",
        truth_path=folder / "truth.parquet",
    )
    return folder
