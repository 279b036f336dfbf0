"""Dependencies are declared and explained; versions agree; links of the pages lead somewhere."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from workflow_clone import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def name_of(requirement: str) -> str:
    return re.match(r"[A-Za-z0-9_.\-]+", requirement).group().lower().replace("_", "-")


RUN = {name_of(requirement) for requirement in PROJECT["dependencies"]}
EXTRAS = PROJECT["optional-dependencies"]
DEVELOP = {name_of(requirement) for extra in ("test", "bench") for requirement in EXTRAS[extra]}
OPTIONAL = {name_of(requirement) for requirement in EXTRAS["shapes"]}


def imported_packages() -> set[str]:
    """Top-level packages that the library imports, at any place."""
    found = set()
    for path in (ROOT / "coactivation_manifolds").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"coactivation_manifolds"}


@pytest.mark.parametrize("name", sorted(RUN | DEVELOP | OPTIONAL))
def test_each_dependency_is_explained(name):
    page = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8").lower()
    assert re.search(rf"^\| {re.escape(name)} \| .+ \| .+ \|$", page, flags=re.MULTILINE)


def test_the_page_explains_nothing_that_is_not_a_dependency():
    page = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8").lower()
    named = set(re.findall(r"^\| ([a-z0-9\-]+) \| .+ \| .+ \|$", page, flags=re.MULTILINE)) - {"package"}
    assert named - RUN - DEVELOP - OPTIONAL == set()


def test_everything_imported_is_declared():
    distributions = packages_distributions()
    for package in sorted(imported_packages()):
        names = {name.lower().replace("_", "-") for name in distributions.get(package, [package])}
        assert names & (RUN | OPTIONAL), f"{package} is imported but not among the dependencies of pyproject.toml"


def test_versions_and_licence_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"] == "MIT"
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "CHANGELOG.md", "config/README.md"])
def test_links_lead_somewhere(page):
    check_links(ROOT / page)


@pytest.mark.parametrize(
    "page",
    [
        "configuration.md",
        "data_format.md",
        "troubleshooting.md",
        "dependencies.md",
        "verify.md",
        "reliability.md",
        "security.md",
        "slurm.md",
        "slurm_accounting_log.md",
    ],
)
def test_links_of_docs_lead_somewhere(page):
    check_links(ROOT / "docs" / page)


def check_links(page: Path) -> None:
    """Relative links of a page are files."""
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
