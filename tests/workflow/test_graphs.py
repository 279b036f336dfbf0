"""`make dag`: with graphviz a picture, without it mermaid."""

import shutil

import pytest
from workflow_clone import load_script

pytestmark = pytest.mark.workflow


@pytest.fixture
def draw_dags(tmp_path, monkeypatch):
    """The script, drawing into a folder of the test's."""
    module = load_script("docs/draw_dags.py")
    monkeypatch.setattr(module, "IMAGES", tmp_path)
    return module


def test_without_graphviz_the_graph_is_mermaid(draw_dags, monkeypatch):
    monkeypatch.setattr(draw_dags.shutil, "which", lambda _: None)
    drawn = draw_dags.draw("--rulegraph", draw_dags.REPORT, "rules")
    assert drawn.suffix == ".mmd"
    text = drawn.read_text(encoding="utf-8")
    assert "flowchart" in text and "harvest_shard" in text


@pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz is not installed")
def test_with_graphviz_it_is_a_picture(draw_dags):
    drawn = draw_dags.draw("--dag", draw_dags.ONE_FIGURE, "jobs")
    text = drawn.read_text(encoding="utf-8")
    assert text.count("harvest_shard") == 3
