"""Files of an experiment whose clusters are to be drawn: sizes and numbers of points are chosen, shapes are rings.

Each cluster's latents are tiles on a circle, two or three of which fire at once, and fire nowhere else. The other
latents' postings are only there to make the index as large as a real one: nothing reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coactivation_manifolds import schemas
from coactivation_manifolds.activations.index_tokens import token_batch
from coactivation_manifolds.experiment.config import drawing_settings
from coactivation_manifolds.experiment.yaml_file import read_yaml
from coactivation_manifolds.storage import (
    FORMAT_KEY,
    FORMAT_VERSION,
    atomic_path,
    write_array,
    write_table,
)

Array = npt.NDArray[Any]

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = drawing_settings(read_yaml(ROOT / "config/config.yaml").content["defaults"])
"""The product's defaults."""
CLUSTERING = "components_j0.20"
VOCABULARY, DOCUMENT, D_MODEL, N_LATENTS = 50_000, 256, 2_304, 65_536


@dataclass(frozen=True)
class Experiment:
    """Where the files are, and what they hold; ``single`` is a cluster of ten latents, for the job of one cluster."""

    folder: Path
    n_tokens: int
    n_entries: int
    sizes: list[int]
    points: list[int]
    single: int

    @property
    def inputs(self) -> dict[str, Path]:
        """The files that drawing reads besides the index, by the names of the product's functions."""
        names = {
            "summary_path": "clusters_summary.parquet",
            "decoder_path": "decoder.npy",
            "vocab_path": "vocab.parquet",
            "latent_tokens_path": "latent_tokens.parquet",
        }
        return {name: self.folder / file for name, file in names.items()}

    @property
    def offsets_path(self) -> Path:
        """What the index is opened by."""
        return self.folder / "feature_offsets.npy"


def chosen_clusters(n_clusters: int, *, n_tokens: int) -> tuple[list[int], list[int], int]:
    """Sizes from 2 to 50, largest first; points from 64 to 20,000 in another order; place of one of size 10."""
    rng = np.random.default_rng(0)
    sizes = np.rint(np.geomspace(50, 2, n_clusters - 1)).astype(int).tolist()
    points = np.rint(np.geomspace(64, min(20_000, n_tokens // 2), n_clusters - 1)).astype(int)
    place = sum(size >= 10 for size in sizes)
    shuffled = rng.permutation(points).tolist()
    sizes.insert(place, 10)
    shuffled.insert(place, min(5_000, n_tokens // 2))
    return sizes, shuffled, place


def make_experiment(folder: Path, *, n_clusters: int, n_tokens: int, n_entries: int) -> Experiment:
    """Write the index, the summary, the decoder, the vocabulary and the tokens of latents."""
    rng = np.random.default_rng(1)
    sizes, points, single = chosen_clusters(n_clusters, n_tokens=n_tokens)
    latents = rng.permutation(N_LATENTS)[: sum(sizes)]
    members = [np.sort(part) for part in np.split(latents, np.cumsum(sizes)[:-1])]
    postings: dict[int, tuple[Array, Array]] = {}
    for ids, n_points in zip(members, points, strict=True):
        postings.update(ring_postings(rng, ids, n_points, n_tokens))
    kept = write_index(folder, rng, postings, n_tokens=n_tokens, n_entries=n_entries)
    write_summary(folder, members)
    write_decoder(folder, rng, members)
    write_texts(folder, rng)
    return Experiment(folder, n_tokens, kept, sizes, points, single)


def ring_postings(rng: np.random.Generator, ids: Array, n_points: int, n_tokens: int) -> dict[int, tuple[Array, Array]]:
    """Token rows and activations of a cluster's latents: tiles on a circle, on ``n_points`` tokens."""
    k = len(ids)
    rows = np.sort(rng.choice(n_tokens, n_points, replace=False)).astype(np.uint32)
    angle = rng.uniform(0, 2 * np.pi, n_points)
    bump = np.cos(angle[:, None] - 2 * np.pi * np.arange(k) / k) - np.cos(2.5 * np.pi / max(k, 3))
    values = np.where(bump > 0, 5 * bump + 0.2 + 0.1 * rng.random(bump.shape), 0).astype(np.float16)
    return {
        int(latent): (rows[values[:, place] > 0], values[values[:, place] > 0, place])
        for place, latent in enumerate(ids.tolist())
    }


def write_index(
    folder: Path,
    rng: np.random.Generator,
    postings: dict[int, tuple[Array, Array]],
    *,
    n_tokens: int,
    n_entries: int,
) -> int:
    """Write the four files of an index of about ``n_entries`` postings; gives their exact number."""
    held = sum(len(rows) for rows, _ in postings.values())
    each = max(1, min(n_tokens, (n_entries - held) // (N_LATENTS - len(postings))))
    others = (np.linspace(0, n_tokens - 1, each).astype(np.uint32), np.ones(each, np.float16))
    pairs = [postings.get(latent, others) for latent in range(N_LATENTS)]
    offsets = np.concatenate([[0], np.cumsum([len(rows) for rows, _ in pairs])]).astype(np.int64)
    write_array(offsets, folder / "feature_offsets.npy")
    write_array(np.concatenate([rows for rows, _ in pairs]), folder / "token_rows.npy")
    write_array(np.concatenate([values for _, values in pairs]), folder / "values.npy")
    number = np.arange(n_tokens)
    token_ids = (VOCABULARY * rng.random(n_tokens) ** 4).astype(np.int32)  # a few tokens are frequent
    schema = schemas.INDEX_TOKENS.with_metadata({FORMAT_KEY: str(FORMAT_VERSION).encode()})
    with (
        atomic_path(folder / "tokens.arrow") as path,
        pa.OSFile(str(path), "wb") as sink,
        pa.ipc.new_file(sink, schema) as writer,
    ):
        writer.write_batch(token_batch([number // DOCUMENT, number, number % DOCUMENT, token_ids], schema))
    return int(offsets[-1])


def write_summary(folder: Path, members: list[Array]) -> None:
    """The clusters, largest first, with plausible numbers."""
    n = len(members)
    sizes = np.array([len(ids) for ids in members])
    known: dict[str, Any] = {
        "cluster_id": np.arange(n),
        "size": sizes,
        "members": [ids.tolist() for ids in members],
        "n_pairs_present": sizes * (sizes - 1) // 2,
        "mean_jaccard": np.full(n, 0.31),
        "mean_cosine": np.full(n, 0.12),
        "members_sha": ["0" * 64] * n,
        "missed_by_cosine": [True] * n,
    }
    columns = {name: known.get(name, np.zeros(n, np.int64)) for name in schemas.CLUSTERS_SUMMARY.names}
    write_table(schemas.conform(columns, schemas.CLUSTERS_SUMMARY), folder / "clusters_summary.parquet")


def write_decoder(folder: Path, rng: np.random.Generator, members: list[Array]) -> None:
    """Decoder rows, float32; zero, and so without room on the disk, for latents of no cluster."""
    shape = (N_LATENTS, D_MODEL)
    with atomic_path(folder / "decoder.npy") as path:
        decoder = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
        for latent in np.concatenate(members).tolist():
            row = rng.normal(size=D_MODEL)
            decoder[latent] = row / np.linalg.norm(row)
        decoder.flush()


def write_texts(folder: Path, rng: np.random.Generator) -> None:
    """The vocabulary, and ten tokens for each latent."""
    texts = [f"{' ' if number % 3 else ''}token{number}" for number in range(VOCABULARY)]
    vocabulary = schemas.conform({"token_id": np.arange(VOCABULARY), "text": texts}, schemas.VOCAB)
    write_table(vocabulary, folder / "vocab.parquet")
    n = 10 * N_LATENTS
    columns = [
        np.repeat(np.arange(N_LATENTS), 10),
        np.tile(np.arange(1, 11), N_LATENTS),
        rng.integers(0, VOCABULARY, n),
        np.ones(n, np.int64),
        np.full(n, 0.5),
    ]
    table = schemas.conform(dict(zip(schemas.LATENT_TOKENS.names, columns, strict=True)), schemas.LATENT_TOKENS)
    write_table(table, folder / "latent_tokens.parquet")
