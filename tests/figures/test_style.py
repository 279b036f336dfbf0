"""The look of figures: the same bytes for the same drawing, no global state."""

import matplotlib
from PIL import Image

from coactivation_manifolds.figures.style import MARKERS, PALETTE, figure_style, new_figure, save_figure


def draw(path):
    with figure_style():
        figure, axes = new_figure(1, 2, width=4, height=2)
        axes[0, 0].scatter([1, 2, 3], [3, 1, 2], color=PALETTE[0])
        axes[0, 1].set_title("costs $5 to $6 → ring")
        save_figure(figure, path, metadata={"clustering": "components_j0.20", "token": "中"})


def test_same_drawing_gives_same_bytes_and_keeps_the_spec(tmp_path):
    draw(tmp_path / "a.png")
    draw(tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert image.text == {"clustering": "components_j0.20", "token": "中"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_a_users_settings_neither_enter_nor_are_lost(tmp_path):
    draw(tmp_path / "a.png")
    with matplotlib.rc_context({"font.size": 31, "axes.grid": True, "lines.linewidth": 9}):
        draw(tmp_path / "b.png")
        assert matplotlib.rcParams["font.size"] == 31
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_palette_and_markers_are_distinct():
    assert len(set(PALETTE)) == len(set(MARKERS)) == 8
