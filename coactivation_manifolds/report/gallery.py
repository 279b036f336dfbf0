"""The best finds of an experiment's whole sweep, drawn with their fitted shapes, on one page."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy.typing as npt

from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.figures.token_names import TokenNames
from coactivation_manifolds.geometry.cluster_view import look_at_cluster
from coactivation_manifolds.geometry.clusters import find_cluster, point_rule, read_clusters, read_decoder
from coactivation_manifolds.report.cluster_rows import member_tokens
from coactivation_manifolds.report.find_files import draw_find, fit_find, read_null_draws
from coactivation_manifolds.report.finds import Find, Part, TestedFamily, read_families, read_finds
from coactivation_manifolds.report.templates import image_data, render
from coactivation_manifolds.storage import PathLike, read_json, write_json, write_text

if TYPE_CHECKING:
    from coactivation_manifolds.activations.index import FeatureIndex

logger = logging.getLogger(__name__)


class ClusteringFiles(NamedTuple):
    """The files of one clustering of the sweep that a find is drawn from."""

    summary: PathLike
    draws: PathLike
    shapes: PathLike


@dataclass(frozen=True)
class Shown:
    """A find on the page: its members with their tokens, the reading of its shape, and its figure."""

    find: Find
    members: list[tuple[int, str | None]]
    n_more: int
    reading: list[Part]
    image: str


def draw_gallery(
    finds_path: PathLike,
    *,
    clusterings: Mapping[str, ClusteringFiles],
    index: FeatureIndex,
    decoder_path: PathLike | None,
    vocab_path: PathLike | None,
    latent_tokens_path: PathLike | None,
    settings: Mapping[str, Any],
    experiment: str,
    gallery_folder: PathLike,
) -> None:
    """Write ``index.html``, ``readings.json``, and the folder of each shown find (figures and page).

    Parameters
    ----------
    finds_path
        ``finds.parquet``.
    clusterings
        Files of the sweep's clusterings, by name.
    index
        The experiment's index.
    decoder_path, vocab_path, latent_tokens_path
        Where there are any.
    settings
        As in ``draw_atlas``, with ``gallery_finds`` (how many are shown at most) and ``persistence``.
    experiment
        Its name.
    gallery_folder
        The folder to write into; each file is complete or absent.

    Raises
    ------
    ResultsError
        A find's clustering is not among those given.

    """
    folder = Path(gallery_folder)
    finds = read_finds(finds_path)
    decoder = read_decoder(decoder_path, n_latents=index.n_latents)
    names = TokenNames.read(vocab_path, latent_tokens_path)
    shown = []
    for find in finds[: settings["gallery_finds"]]:
        if find.clustering not in clusterings:
            raise ResultsError(f"{finds_path} holds clusters of {find.clustering}, which the sweep lacks: make it anew")
        files = clusterings[find.clustering]
        shown.append(
            show_find(find, files, index=index, decoder=decoder, names=names, settings=settings, folder=folder)
        )
        index.forget_pages()
    readings = {str(each.find.find_id): [part._asdict() for part in each.reading] for each in shown}
    write_json({"readings": readings}, folder / "readings.json")
    page = gallery_page(
        shown,
        read_families(finds_path),
        n_finds=len(finds),
        settings=settings,
        has_decoder=decoder is not None,
        experiment=experiment,
    )
    write_text(page, folder / "index.html")
    logger.info("drew %d of %d finds of %s", len(shown), len(finds), experiment)


def show_find(
    find: Find,
    files: ClusteringFiles,
    *,
    index: FeatureIndex,
    decoder: npt.NDArray[Any] | None,
    names: TokenNames,
    settings: Mapping[str, Any],
    folder: Path,
) -> Shown:
    """Draw one find; gives what the page says of it."""
    record = find_cluster(read_clusters(files.summary), find.clustering, find.cluster_id)
    view = look_at_cluster(record, find.clustering, index=index, decoder=decoder, settings=settings)
    shape = fit_find(find, view, decoder=decoder)
    null = read_null_draws(files.draws, find)
    target = folder / find.folder
    tokens = read_json(files.shapes).get(find.cluster, {}).get("vertex_tokens", [])
    reading = draw_find(
        find, view, shape, null, vertex_tokens=tokens, names=names, index=index, settings=settings, folder=target
    )
    members, n_more = member_tokens(record, names)
    return Shown(find, members, n_more, reading, image_data(target / "shape.png"))


def gallery_page(
    shown: Sequence[Shown],
    families: Sequence[TestedFamily],
    *,
    n_finds: int,
    settings: Mapping[str, Any],
    has_decoder: bool,
    experiment: str,
) -> str:
    """The page as text."""
    return render(
        "gallery.html",
        title=f"Shapes of {experiment}",
        shown=shown,
        n_finds=n_finds,
        families=families,
        rule=point_rule(settings),
        settings=settings,
        has_decoder=has_decoder,
    )
