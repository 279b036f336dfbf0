"""docs/configuration.md can't drift from schema and defaults."""

import json

import pytest
from workflow_clone import ROOT

from coactivation_manifolds.experiment import reference


@pytest.fixture
def in_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_the_page_is_up_to_date(in_root):
    assert reference.main(["--check"]) == 0, "run: python -m coactivation_manifolds.experiment.reference"


def test_a_changed_default_or_key_shows(in_root, tmp_path, monkeypatch, capsys):
    page = tmp_path / "configuration.md"
    monkeypatch.setattr(reference, "PAGE", page)
    assert reference.main(["--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
    page.write_text(page.read_text().replace("`0.02`", "`0.03`"))
    assert reference.main(["--check"]) == 1


def test_every_key_is_on_the_page():
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    schema = json.loads((ROOT / "config/experiment.schema.json").read_text(encoding="utf-8"))
    for section, rule in schema["properties"].items():
        assert f"## {section}\n" in page or f"| `{section}` |" in page
        for key in rule.get("properties", {}):
            assert f"| `{key}` |" in page, f"{section}.{key}"


def test_sections_of_the_readme_of_config_name_the_experiments_that_ship():
    text = (ROOT / "config/README.md").read_text(encoding="utf-8")
    for path in (ROOT / "config/experiments").glob("*.yaml"):
        assert f"`{path.stem}`" in text
