"""Drawing without axes: places, text, points and ticks."""

import numpy as np
import pytest
from PIL import Image

from coactivation_manifolds.figures.canvas import Canvas
from coactivation_manifolds.figures.frame import MARGIN, Frame, format_tick, ticks
from coactivation_manifolds.figures.lettering import line_of_text, render_text
from coactivation_manifolds.figures.style import DPI, MARKERS

BLACK = "#000000"


def inked(canvas):
    """First and last row and column that are not white."""
    rows, columns = np.nonzero((canvas.pixels[:, :, :3] < 255).any(axis=2))
    return rows.min(), rows.max(), columns.min(), columns.max()


@pytest.mark.parametrize("text", ["Hx", "Hp", "H\u2423", "HÂ", "H'", "H-"])
@pytest.mark.parametrize("bold", [False, True])
def test_letters_stand_on_the_base_line(text, bold):
    letters = render_text(text, size=8.5, bold=bold)
    first_letter = letters.coverage[:, :4].max(axis=1)
    assert np.flatnonzero(first_letter > 100).max() + 1 == letters.above
    assert letters.above + letters.below == len(letters.coverage)
    with pytest.raises(ValueError, match="read-only"):
        letters.coverage[0] = 1


def test_text_stands_where_it_is_asked_for():
    above, below = line_of_text(size=8.5)
    at = round(0.5 * DPI)
    tops = {}
    for up in ("top", "center", "bottom"):
        for across in ("left", "center", "right"):
            canvas = Canvas(width=1, height=1)
            canvas.write(0.5, 0.5, "lp", colour=BLACK, across=across, up=up)
            tops[up], _, first, last = inked(canvas)
            assert {"left": first, "center": (first + last) // 2, "right": last}[across] == pytest.approx(at, abs=3)
    assert tops["top"] == pytest.approx(at, abs=1)
    assert tops["top"] - tops["bottom"] == above + below
    assert tops["top"] - tops["center"] == (above + below) // 2


def test_text_upwards_is_text_turned():
    level, turned = Canvas(width=1, height=1), Canvas(width=1, height=1)
    level.write(0.5, 0.5, "PC1 (4 %)", across="center", up="bottom", colour=BLACK)
    turned.write_upwards(0.5, 0.5, "PC1 (4 %)", colour=BLACK)
    top, bottom, first, last = inked(turned)
    level_box = inked(level)
    assert (last - first, bottom - top) == (level_box[1] - level_box[0], level_box[3] - level_box[2])
    cut = turned.pixels[top : bottom + 1, first : last + 1]
    other = level.pixels[level_box[0] : level_box[1] + 1, level_box[2] : level_box[3] + 1]
    np.testing.assert_array_equal(np.rot90(other), cut)


@pytest.mark.parametrize("place", [(-0.1, 0.5), (0.95, 0.5), (0.5, -0.05), (0.5, 0.97), (-3, 0), (3, 3), (0, 3)])
def test_what_falls_off_the_sheet_is_cut(place):
    whole, cut = Canvas(width=3, height=3), Canvas(width=1, height=1)
    whole.write(place[0] + 1, place[1] + 1, "members", colour=BLACK)
    cut.write(*place, "members", colour=BLACK)
    if max(map(abs, place)) < 2:
        np.testing.assert_array_equal(cut.pixels, whole.pixels[DPI : 2 * DPI, DPI : 2 * DPI])
    else:
        assert (cut.pixels == 255).all()


def test_a_line_is_one_pixel_and_an_area_has_its_size():
    canvas = Canvas(width=1, height=1)
    canvas.fill(0.5, 0.2, 0, 0.3, BLACK)
    assert inked(canvas) == (22, 54, 55, 55)
    canvas = Canvas(width=1, height=1)
    canvas.fill_rows(0.1, 0.1, 0.1, 0.2, np.array([[10, 0, 0], [20, 0, 0]]))
    assert inked(canvas) == (11, 32, 11, 21)
    assert canvas.pixels[11:33, 11, 0].tolist() == [10] * 11 + [20] * 11


@pytest.mark.parametrize("marker", MARKERS)
def test_points_fall_on_their_place_with_about_their_area(marker):
    canvas = Canvas(width=1, height=1)
    area = 400.0
    canvas.scatter(np.array([0.3]), np.array([0.6]), np.zeros((1, 3)), marker=marker, area=area, alpha=1)
    top, bottom, first, last = inked(canvas)
    assert (first + last + 1) / 2 / DPI == pytest.approx(0.3, abs=0.02)
    assert (top + bottom + 1) / 2 / DPI == pytest.approx(0.6, abs=0.03)
    side = np.sqrt(area) * DPI / 72
    assert side - 2 <= last - first + 1 <= 1.5 * side  # the diamond stands on its corner


def test_later_points_lie_above_and_let_those_below_show():
    canvas = Canvas(width=1, height=1)
    both = np.array([0.5, 0.5])
    canvas.scatter(both, both, np.array([[1.0, 0, 0], [0, 0, 1.0]]), marker="s", area=100)
    red, _, blue, _ = canvas.pixels[DPI // 2, DPI // 2]
    assert blue > 200 > 100 > red > 20
    canvas.scatter(both[:0], both[:0], np.empty((0, 3)), marker="s", area=100)


def test_saved_complete_with_its_metadata(tmp_path):
    canvas = Canvas(width=2, height=1)
    canvas.write(0.1, 0.1, "ring")
    canvas.save(tmp_path / "a.png", metadata={"clustering": "components_j0.20", "token": "\u4e2d"})
    with Image.open(tmp_path / "a.png") as image:
        assert image.text == {"clustering": "components_j0.20", "token": "\u4e2d"}
        assert image.size == (2 * DPI, DPI)
        np.testing.assert_array_equal(np.asarray(image), canvas.pixels[:, :, :3])
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_frame_holds_all_points_with_equal_units():
    x, y = np.array([1.0, 5.0, 3.0]), np.array([-1.0, 0.0, 1.0])
    frame = Frame.around(x, y, left=0.5, top=1.0, side=2.0)
    assert frame.span == pytest.approx(4 * (1 + 2 * MARGIN))
    across, down = frame.across(x), frame.down(y)
    np.testing.assert_allclose(np.diff(across) / np.diff(x), 2.0 / frame.span)
    np.testing.assert_allclose(np.diff(down) / np.diff(y), -2.0 / frame.span)
    assert (across.min() - 0.5, 2.5 - across.max()) == pytest.approx((2 * MARGIN / 1.1, 2 * MARGIN / 1.1))
    assert (down.min() + down.max()) / 2 == pytest.approx(2.0)
    assert Frame.around(x[:1], y[:1], left=0, top=0, side=1).across(1.0) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "low, span, written",
    [
        (-5, 10, ["−4", "0", "4"]),
        (-0.42, 0.8, ["−0.3", "0.0", "0.3"]),
        (-900, 4_000, ["0", "1,500", "3,000"]),
        (0.001, 0.004, ["0.0015", "0.0030", "0.0045"]),
        (-2e-6, 5e-6, ["−2e−06", "0", "2e−06"]),
        (1e7, 3e7, ["1e+07", "2e+07", "3e+07", "4e+07"]),
    ],
)
def test_ticks_are_few_round_and_told_apart(low, span, written):
    places, texts = ticks(low, span)
    assert texts == written
    assert 2 <= len(places) <= 4
    assert (places >= low).all() and (places <= low + span).all()


def test_tick_of_zero_has_no_sign():
    assert format_tick(round(-1e-17 / 0.2) * 0.2, 0.2) == "0.0"
