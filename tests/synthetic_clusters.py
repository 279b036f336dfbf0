"""An index held in arrays, and clusters of known shape with tokens, for tests of geometry, figures and pages."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
from workflow_clone import ROOT

from coactivation_manifolds import schemas
from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.experiment.config import drawing_settings
from coactivation_manifolds.experiment.yaml_file import read_yaml
from coactivation_manifolds.storage import write_array, write_table

SETTINGS = drawing_settings(read_yaml(ROOT / "config/config.yaml").content["defaults"])
"""The product's defaults."""
WORDS = ["north", "north-by-east", "north-east", "east", "south-east", "south", "south-west", "west", "north-west"]


def array_index(dense, *, token_ids=None, positions=None, words_per_doc=50):
    """A feature-major index over dense activations [tokens, latents]; ``.dense`` keeps them as float16."""
    dense = np.asarray(dense, dtype=np.float16)
    n_tokens, _ = dense.shape
    features, rows = np.nonzero(dense.T)
    offsets = np.searchsorted(features, np.arange(dense.shape[1] + 1)).astype(np.int64)
    number = np.arange(n_tokens)
    place = number % words_per_doc if positions is None else positions
    columns = [number // words_per_doc, number, place, [None] * n_tokens if token_ids is None else token_ids]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schemas.INDEX_TOKENS, strict=True)]
    tokens = pa.Table.from_arrays(arrays, schema=schemas.INDEX_TOKENS)
    index = FeatureIndex(offsets, rows.astype(np.uint32), dense.T[features, rows], tokens)
    index.dense = dense
    return index


def ring_activations(rng, n, k=7, noise=0.03):
    """k tiles on a circle, two or three firing at once; also the angle of each token."""
    angle = rng.uniform(0, 2 * np.pi, n)
    bump = np.cos(angle[:, None] - 2 * np.pi * np.arange(k) / k) - np.cos(1.25 * np.pi / k * 2)
    values = np.where(bump > 0, 5 * bump + 0.2 + noise * rng.normal(size=bump.shape), 0)
    return np.maximum(values, 0), angle


def simplex_activations(rng, n, k=6):
    """Beliefs that fill a triangle, read by k latents."""
    belief = rng.dirichlet([0.6, 0.6, 0.6], n)
    corners = rng.normal(size=(3, k))
    return np.maximum(belief @ corners * 3, 0), belief


def star_activations(rng, n, k=4):
    """One latent at a time: what most small clusters of real latents look like."""
    values = np.zeros((n, k))
    values[np.arange(n), rng.integers(0, k, n)] = rng.exponential(2, n) + 0.3
    both = rng.random(n) < 0.06
    values[both, 0] = values[both, 1] = 2.5
    return values


def cloud_activations(rng, n, k=40):
    """Forty latents of which about five fire at once."""
    hidden = rng.normal(size=(n, 6)) @ rng.normal(size=(6, k))
    return np.maximum(hidden - 2.4, 0)


def make_experiment(folder, *, seed=0, n_ring=6_000, with_text=True, vocab=None, d_model=32):
    """Four clusters in one corpus; writes summary, decoder, vocab, latent_tokens; gives paths and the index."""
    rng = np.random.default_rng(seed)
    ring, angle = ring_activations(rng, n_ring)
    simplex, belief = simplex_activations(rng, n_ring // 2)
    star = star_activations(rng, 90)
    cloud = cloud_activations(rng, 1_500)
    rare = star_activations(rng, 30, 3)
    blocks = [ring, simplex, star, cloud, rare]
    sizes = [block.shape[1] for block in blocks]
    dense = np.zeros((sum(len(block) for block in blocks), sum(sizes) + 3))
    token_ids = np.empty(len(dense), int)
    names = list(vocab) if vocab else [f" {word}" for word in WORDS] + ["\n", " the", "ing", "\u202eabc", "é", "中"]
    row = column = 0
    starts = []
    kinds = [
        (angle / (2 * np.pi) * 9).astype(int) % len(names),
        belief.argmax(1) + 9,
        rng.integers(0, len(names), 90),
        rng.integers(0, len(names), 1_500),
        rng.integers(0, len(names), 30),
    ]
    for block, kind in zip(blocks, kinds, strict=True):
        dense[row : row + len(block), column : column + block.shape[1]] = block
        token_ids[row : row + len(block)] = kind % len(names)
        starts.append(column)
        row, column = row + len(block), column + block.shape[1]
    members = [list(range(start, start + size)) for start, size in zip(starts, sizes, strict=True)]
    members.sort(key=lambda m: (-len(m), m[0]))
    decoder = rng.normal(size=(dense.shape[1], d_model)).astype(np.float32)
    ring_members = next(m for m in members if m[0] == 0)
    turns = 2 * np.pi * np.arange(7) / 7
    decoder[ring_members] = 0.25 * decoder[ring_members] / np.sqrt(d_model)
    decoder[ring_members, 0] += np.cos(turns)
    decoder[ring_members, 1] += np.sin(turns)
    decoder /= np.linalg.norm(decoder, axis=1, keepdims=True)
    index = array_index(dense, token_ids=token_ids if with_text else None)
    paths = write_metadata(folder, members, decoder, index, names if with_text else None)
    return SimpleNamespace(index=index, members=members, decoder=decoder, **paths)


def write_summary(path, members):
    """A summary with plausible numbers for clusters of these members, largest first."""
    n = len(members)
    columns = {
        "cluster_id": range(n),
        "size": [len(m) for m in members],
        "members": members,
        "mean_jaccard": [0.31 + 0.01 * i for i in range(n)],
        "min_jaccard": [0.2] * n,
        "n_pairs_present": [len(m) * (len(m) - 1) // 2 for m in members],
        "mean_cosine": [0.12] * n,
        "min_cosine": [-0.4] * n,
        "max_cosine": [0.6] * n,
        "n_tokens_any": [1000] * n,
        "cosine_match_id": [0] * n,
        "cosine_match_jaccard": [0.3] * n,
        "cosine_best_jaccard": [0.38] * n,
        "missed_by_cosine": [i % 2 == 0 for i in range(n)],
        "members_sha": ["0" * 64] * n,
    }
    columns = {name: columns.get(name, [0] * n) for name in schemas.CLUSTERS_SUMMARY.names}
    write_table(schemas.conform(columns, schemas.CLUSTERS_SUMMARY), path)


def write_metadata(folder, members, decoder, index, names):
    """Write the files beside the index; vocab and latent_tokens only where tokens have text."""
    write_summary(folder / "clusters_summary.parquet", members)
    write_array(decoder, folder / "decoder.npy")
    paths = {"summary_path": folder / "clusters_summary.parquet", "decoder_path": folder / "decoder.npy"}
    if names is None:
        return paths | {"vocab_path": None, "latent_tokens_path": None}
    vocab = schemas.conform({"token_id": range(len(names)), "text": names}, schemas.VOCAB)
    write_table(vocab, folder / "vocab.parquet")
    ids = index.tokens(np.arange(index.n_tokens)).column("token_id").to_numpy()
    rows = []
    for latent in range(index.n_latents):
        firing = index.dense[:, latent] > 0
        found, counts = np.unique(ids[firing], return_counts=True)
        order = np.lexsort((found, -counts))[:10]
        rows += [(latent, rank, found[o], counts[o], 1.0) for rank, o in enumerate(order, start=1)]
    columns = dict(zip(schemas.LATENT_TOKENS.names, zip(*rows, strict=True), strict=True))
    write_table(schemas.conform(columns, schemas.LATENT_TOKENS), folder / "latent_tokens.parquet")
    return paths | {
        "vocab_path": folder / "vocab.parquet",
        "latent_tokens_path": folder / "latent_tokens.parquet",
    }
