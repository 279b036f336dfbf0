"""Fuzzing what a person or a page of the web may hand over as settings: experiment files, names, published sets."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from fuzzing import almost, bounded, changed, examples
from hypothesis import given
from hypothesis import strategies as st
from workflow_clone import ROOT

from coactivation_manifolds.clustering.published import read_published
from coactivation_manifolds.clustering.spec import parse_spec
from coactivation_manifolds.experiment.config import (
    check_cluster_name,
    clustering_names,
    has_decoder,
    is_imported,
    n_shards,
    resolve,
    split_name,
    split_path,
)
from coactivation_manifolds.experiment.expected_files import expected_files
from coactivation_manifolds.experiment.preflight import missing_files, warnings
from coactivation_manifolds.experiment.validation import find_problems
from coactivation_manifolds.paths import WILDCARDS

EXPERIMENTS = sorted((ROOT / "config/experiments").glob("*.yaml"))
TEXTS = [path.read_bytes() for path in EXPERIMENTS]
CONTENTS = [yaml.safe_load(text) for text in TEXTS]
SHIPPED = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))

TAGS = [
    "!!int",
    "!!bool",
    "!!float",
    "!!timestamp",
    "!!null",
    "!!binary",
    "!!set",
    "!!omap",
    "!!pairs",
    "!!str",
    "!!map",
]
SNIPPETS = [
    "&a", "*a", "<<:", "? ", ": ", "- ", "[", "]", "{", "}", "\n", "\n  ", "|", ">", "'", '"', "%YAML 1.2\n", "---\n",
    "...\n", "0x" + "f" * 30, "1:2:3", "1e400", ".inf", ".nan", "2024-02-30", "0o17", "~", "yes", "\t", "\ufeff",
    "\x85", "seed", "corpus:", "path", "model:", "{a,b}{a,b}", *TAGS,
]  # fmt: skip


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of settings as shipped, with room for one more experiment."""
    folder = tmp_path_factory.mktemp("config")
    (folder / "experiments").mkdir()
    for name in ("config.yaml", "experiment.schema.json"):
        (folder / name).write_bytes((ROOT / "config" / name).read_bytes())
    for path in EXPERIMENTS:
        (folder / "experiments" / path.name).write_bytes(path.read_bytes())
    return folder


def use(folder: Path) -> None:
    """What a dry run does with an experiment's file."""
    path = folder / "experiments/fuzzed.yaml"
    problems = find_problems(path, folder)
    assert all(str(folder) in problem for problem in problems)
    if problems:
        return
    settings = resolve(path, folder)
    missing_files(settings)
    warnings(settings, path)
    clustering_names(settings)
    expected_files(settings)
    if not is_imported(settings):
        n_shards(settings)
    has_decoder(settings)


@examples(150)
@given(content=changed(TEXTS))
def test_changed_bytes_of_an_experiment(config: Path, content: bytes) -> None:
    (config / "experiments/fuzzed.yaml").write_bytes(content)
    with bounded():
        use(config)


@examples(150)
@given(content=st.sampled_from(CONTENTS).flatmap(almost))
def test_other_values_in_an_experiment(config: Path, content: Any) -> None:
    (config / "experiments/fuzzed.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with bounded():
        use(config)


@examples(100)
@given(content=almost(SHIPPED))
def test_other_values_in_the_defaults(config: Path, content: Any) -> None:
    kept = (config / "config.yaml").read_bytes()
    (config / "config.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    (config / "experiments/fuzzed.yaml").write_bytes(TEXTS[0])
    try:
        with bounded():
            use(config)
    finally:
        (config / "config.yaml").write_bytes(kept)


@examples(200)
@given(pieces=st.lists(st.sampled_from(SNIPPETS) | st.text(max_size=6), max_size=25))
def test_pieces_of_yaml(config: Path, pieces: list[str]) -> None:
    text = " ".join(pieces)
    (config / "experiments/fuzzed.yaml").write_bytes(text.encode("utf-8", errors="surrogatepass"))
    with bounded():
        use(config)


GOOD_NAMES = [
    "components_j0.20",
    "components_jauto",
    "components_j0.20_cos0.80",
    "leiden_cpm_phi_j0.05_r0.050_s0",
    "leiden_modularity_jaccard_j0.05_cos0.90_r1.000_s12",
    "cosine_components_c0.50",
    "cosine_leiden_cpm_c0.30_r0.050_s0",
    "cosine_matched_components_j0.20",
]


@examples(600)
@given(
    name=changed([name.encode() for name in GOOD_NAMES]).map(lambda name: name.decode("utf-8", errors="replace"))
    | st.text(max_size=60)
    | st.from_regex(WILDCARDS["clustering"], fullmatch=True)
)
def test_names_of_clusterings(name: str) -> None:
    with bounded():
        assert parse_spec(name).name == name


@examples()
@given(text=st.text(alphabet="0123456789٣x_/.-\n\x00", max_size=12) | st.text(max_size=20))
def test_names_of_clusters_experiments_and_targets(text: str) -> None:
    with bounded():
        split_name(f"demo/null/shift_s{text}")
        split_path(f"results/{text}")
        split_path(f"results/demo/geometry/components_j0.20/cluster={text}/pca.png")
        check_cluster_name(text)


PUBLISHED = yaml.safe_load((ROOT / "docs/published/days.yaml").read_text(encoding="utf-8"))


@examples()
@given(content=almost(PUBLISHED))
def test_published_sets(tmp_path_factory: pytest.TempPathFactory, content: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "published.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with bounded():
        _, sets = read_published(path)
        assert sets and all(each.n_members >= 1 for each in sets)
