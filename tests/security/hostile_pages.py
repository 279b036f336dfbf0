"""All kinds of pages of an experiment whose every text is hostile."""

from pathlib import Path

import numpy as np
from hostile import HOSTILE
from synthetic_clusters import make_experiment
from synthetic_pages import make_atlas, make_gallery, report, three_finds


def make_pages(folder: Path) -> dict[str, Path]:
    """Report, atlas, gallery, and the pages of a cluster and of a find."""
    made = make_experiment(folder, n_ring=700, vocab=HOSTILE)
    made.folder = folder
    atlas = make_atlas(made)
    finds = make_gallery(made, folder / "shapes", three_finds(made))
    said = {"hook_name": HOSTILE[0], "model": HOSTILE[3], "notes": HOSTILE[:36]}
    rng = np.random.default_rng(0)
    described = "".join(HOSTILE[i] for i in rng.permutation(36))
    report(made, atlas, finds, folder / "r", experiment=said, config={"description": described})
    gallery = finds / "gallery"
    return {
        "report": folder / "r/report.html",
        "atlas": atlas / "index.html",
        "gallery": gallery / "index.html",
        "cluster": atlas / "cluster=0003/cluster.html",
        "find": next(iter(sorted(gallery.glob("find=*/cluster.html")))),
    }
