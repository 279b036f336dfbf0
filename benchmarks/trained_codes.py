"""Codes that sae-lens trains on the planted vectors: splitting and absorption happen by themselves.

Nobody knows which latents such an SAE spends on a group. A latent is taken as a group's where at least half of its
firings are on the group's tokens.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from planted_geometry import Scene, WorldPlan, draw_group, make_scene
from planted_results import best_match
from science_chain import find_clusters, is_tested, points_of
from shape_calls import Cluster, call_family, seed_of

Array = npt.NDArray[Any]

TRAINED_SHAPES = ("circle", "simplex", "arc", "helix", "line", "circle", "simplex", "circle")
TRAINED_NEGATIVES = ("blob", "mixture", "blob", "mixture", "blob", "mixture")
LEAST_PRECISION, LEAST_FIRINGS = 0.5, 50
SETTINGS = {
    "d_sae": 256,
    "k": 4,
    "steps": 4_000,
    "batch_size": 1_024,
    "learning_rate": 0.002,
    "dead_feature_window": 500,
}


def run_trained(architecture: str, *, seed: int, steps: int | None = None) -> dict[str, Any]:
    """Train one SAE on a small world's vectors, run the chain, and say what became of each group."""
    rng = np.random.default_rng([seed, 5])
    groups = [
        draw_group(kind, "moderate", rng, snr=10.0, n_points=2_000, rows="orthogonal")
        for kind in (*TRAINED_SHAPES, *TRAINED_NEGATIVES)
    ]
    plan = WorldPlan(0, seed, 64, architecture, 60_000, 40, tuple(groups))
    scene = make_scene(plan, np.random.default_rng([seed, 6]))
    activations, decoder, fvu = train_code(scene.vectors, architecture, seed=seed, steps=steps or SETTINGS["steps"])
    found = [members.astype(np.int64) for members in find_clusters(activations, decoder).clusters]
    tested = [own for own in found if is_tested(activations, own)]
    calls = call_family([Cluster(points_of(activations, own), decoder[own], seed_of(own, seed=seed)) for own in tested])
    owners = owners_of(activations, scene, len(groups))
    rows = []
    for place, group in enumerate(groups):
        own = np.flatnonzero(owners == place)
        match, jaccard = best_match(own, tested) if len(own) else (-1, 0.0)
        rows.append(
            {
                "variety": group.variety,
                "truth": group.truth,
                "planted_latents": group.n_latents,
                "latents": len(own),
                "jaccard": round(jaccard, 3),
                "call": calls[match].shape if match >= 0 else None,
                "p_any": calls[match].outcome.p_any if match >= 0 else None,
            }
        )
    return {
        "architecture": architecture,
        "fvu": round(fvu, 4),
        "l0": float((activations > 0).sum(axis=1).mean()),
        "latents_firing": int((activations > 0).any(axis=0).sum()),
        "clusters": len(found),
        "tested": len(tested),
        "calls": sum(call.shape is not None for call in calls),
        "groups": rows,
    }


def owners_of(activations: Array, scene: Scene, n_groups: int) -> Array:
    """The group on whose tokens each latent fires at least half of the time, -1 where there is none; int64."""
    fires = activations > 0
    counts = fires.sum(axis=0)
    inside = np.stack([fires[there].sum(axis=0) for there in scene.there[:n_groups]])
    best = inside.argmax(axis=0)
    precise = inside.max(axis=0) >= LEAST_PRECISION * np.maximum(counts, 1)
    return np.where(precise & (counts >= LEAST_FIRINGS), best, -1)


def train_code(vectors: Array, architecture: str, *, seed: int, steps: int) -> tuple[Array, Array, float]:
    """Train an SAE as the demo does; its activations as float16, decoder rows of norm 1, and share of error (FVU)."""
    import torch

    from coactivation_manifolds.training.sparse_autoencoder import build_sae, fit_sae, sae_metadata, with_mean_bias
    from coactivation_manifolds.training.torch_setup import seeded_torch, work_offline

    work_offline()
    settings = SETTINGS | {"architecture": architecture, "steps": steps, "hook": "blocks.0.hook_resid_post"}
    with seeded_torch(seed, threads=1):
        tensor = torch.from_numpy(vectors)
        sae = build_sae(settings, d_in=vectors.shape[1], metadata=sae_metadata(settings, context_length=1))
        with_mean_bias(sae, tensor)
        fit_sae(sae, tensor, settings, seed=seed)
        sae.eval()
        with torch.inference_mode():
            codes = sae.encode(tensor)
            error = (sae.decode(codes) - tensor).double().square().sum()
            spread = (tensor.double() - tensor.double().mean(dim=0)).square().sum()
            norms = sae.W_dec.norm(dim=1)
            activations = (codes * norms).numpy().astype(np.float16)
            decoder = (sae.W_dec / norms[:, None]).numpy().astype(np.float32)
    return activations, decoder, float(error / spread)
