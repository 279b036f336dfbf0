"""The demo as a user runs it: its planted ring and triangle are found by co-activation."""

import json

import pytest
from conftest import Clone

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


@pytest.fixture(scope="module")
def demo(make_clone) -> Clone:
    clone = make_clone()
    clone.snakemake("results/demo/report.html", "results/demo/geometry/components_j0.25/cluster=0000/pca.png")
    return clone


@pytest.mark.parametrize(("process", "smallest_r2"), [("ring", 0.95), ("simplex", 0.9)])
def test_the_planted_process_is_read_from_a_cluster(demo, process, smallest_r2):
    check = json.loads((demo / "results/demo/planted/check.json").read_text(encoding="utf-8"))[process]
    assert check["r2"] >= smallest_r2
    assert check["purity"] >= 0.9
    assert check["coverage"] >= 0.85


def test_the_report_is_self_contained(demo):
    page = (demo / "results/demo/report.html").read_text(encoding="utf-8")
    assert "http://" not in page.replace("http://www.w3.org", "") and "<script src" not in page


def test_a_second_run_has_nothing_to_do(demo):
    assert "Nothing to be done" in demo.snakemake("results/demo/report.html").stdout
