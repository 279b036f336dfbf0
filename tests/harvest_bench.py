"""A bench for tests of the harvest: a small corpus, models and SAEs, planned and harvested."""

from pathlib import Path
from typing import Any

import numpy as np
from tiny_models import random_texts, save_jsonl, save_model, save_sae

from coactivation_manifolds import paths
from coactivation_manifolds.activations.activation_pipeline import harvest_shard
from coactivation_manifolds.activations.activation_reader import read_shard
from coactivation_manifolds.corpus.plan import plan_corpus

CONTEXT = 12


class Bench:
    """Plans and harvests in one folder; models and SAEs are made on first use."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.texts = random_texts(seed=4, n=30)
        save_jsonl(home / "corpus.jsonl", self.texts)

    def model(self, kind: str = "gpt2", **changes: Any) -> dict[str, Any]:
        folder = self.home / "models" / kind
        if not folder.exists():
            save_model(folder, kind)
        return {"name": None, "revision": None, "path": str(folder), "dtype": "float32", "device_map": None} | changes

    def sae(self, architecture: str = "standard", **settings: Any) -> dict[str, Any]:
        folder = self.home / "saes" / "-".join([architecture, *(f"{key}={settings[key]}" for key in sorted(settings))])
        if not folder.exists():
            save_sae(folder, architecture, **settings)
        return {"release": None, "sae_id": None, "path": str(folder)}

    def corpus(self, **changes: Any) -> dict[str, Any]:
        settings = {
            "source": "jsonl",
            "path": str(self.home / "corpus.jsonl"),
            "text_column": "text",
            "context_length": CONTEXT,
            "n_tokens": 400,
            "pack_across_documents": False,
            "invalid_utf8": "error",
        }
        return settings | changes

    def harvest_settings(self, **changes: Any) -> dict[str, Any]:
        settings = {
            "device": "cpu",
            "batch_size": 4,
            "batches_per_part": 2,
            "cpu_threads": 1,
            "max_fvu": 1000.0,
            "keep_special_tokens": False,
        }
        return settings | changes

    def plan(self, out: Path, *, tokens_per_shard: int = 400, model: Any = None, **corpus: Any) -> Path:
        plan = out / "corpus" / "plan.json"
        plan_corpus(
            self.corpus(**corpus),
            model or self.model(),
            self.sae(),
            tokens_per_shard=tokens_per_shard,
            plan_path=plan,
            vocab_path=out / "metadata" / "vocab.parquet",
        )
        return plan

    def harvest(
        self, out: Path, *, shard: int = 0, model: Any = None, sae: Any = None, corpus: Any = None, **harvest: Any
    ) -> Path:
        """Harvest one shard of the plan in ``out``; gives the manifest."""
        manifest = out / Path(*paths.fill(paths.MANIFEST, experiment="x", shard=shard).parts[2:])
        harvest_shard(
            shard,
            plan_path=out / "corpus" / "plan.json",
            manifest_path=manifest,
            model=model or self.model(),
            sae=sae or self.sae(),
            corpus=self.corpus(**(corpus or {})),
            harvest=self.harvest_settings(**harvest),
        )
        return manifest

    def rows(self, out: Path, **settings: Any) -> Any:
        """Plan and harvest one shard of everything; gives its rows."""
        corpus = settings.pop("corpus", {})
        self.plan(out, model=settings.get("model"), **corpus)
        return read_shard(self.harvest(out, corpus=corpus, **settings))


def files_of(manifest: Path) -> dict[str, bytes]:
    """Every file of a shard's folder."""
    return {path.name: path.read_bytes() for path in sorted(manifest.parent.iterdir())}


def dense_rows(rows):
    dense = np.zeros((rows.n_tokens, rows.n_latents), dtype=np.float32)
    for token in range(rows.n_tokens):
        entries = slice(rows.offsets[token], rows.offsets[token + 1])
        dense[token, rows.feature_ids[entries]] = rows.activations[entries]
    return dense
