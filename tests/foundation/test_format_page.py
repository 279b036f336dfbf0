"""docs/data_format.md names every file and every column."""

import re

import pyarrow as pa
import pytest
from workflow_clone import ROOT

from coactivation_manifolds import paths, schemas

PAGE = (ROOT / "docs/data_format.md").read_text(encoding="utf-8")
SCHEMAS = {name: value for name, value in vars(schemas).items() if isinstance(value, pa.Schema)}
SCHEMAS["ACTIVATIONS"] = schemas.activations_schema(10)
SCHEMAS["SLICE"] = schemas.slice_schema(10)
TEMPLATES = {name: value for name, value in vars(paths).items() if name.isupper() and isinstance(value, str)}
FILE_OF_SCHEMA = {
    "SHARD_STATS": paths.SHARD_STATS,
    "FEATURE_COUNTS": paths.FEATURE_COUNTS,
    "LATENT_TOKENS": paths.LATENT_TOKENS,
    "CORPUS_SHARD": paths.CORPUS_SHARD,
    "EDGES": paths.EDGES,
    "SIMILARITY_TAIL": paths.SIMILARITY_TAIL_TABLE,
    "CLUSTERS_SUMMARY": paths.CLUSTERS_SUMMARY,
    "SWEEP_SUMMARY": paths.SWEEP_SUMMARY,
    "VARIANCE": paths.VARIANCE,
    "SHAPE_TESTS": paths.SHAPE_TESTS,
    "SCORES": paths.SCORES,
    "STABILITY": paths.STABILITY,
    "CONNECTED_SETS": paths.CONNECTED_SETS,
    "FINDS": paths.FINDS,
    "FINDS_SUMMARY": paths.FINDS_SUMMARY,
    "POINTS": paths.CLUSTER_POINTS,
    "PLANTED_TRUTH": paths.PLANTED_TRUTH,
}


def is_named(column: str, text: str) -> bool:
    """Whether a column stands in a text, also within a series such as `pc1` … `pc5`."""
    stem, number = re.fullmatch(r"(.*?)(\d*)", column).groups()
    series = number and f"`{stem}1` … `{stem}{schemas.N_COMPONENTS}`" in text
    return f"`{column}`" in text or bool(series)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_column_is_named(name):
    assert [field.name for field in SCHEMAS[name] if not is_named(field.name, PAGE)] == []


@pytest.mark.parametrize("name", FILE_OF_SCHEMA)
def test_columns_are_named_where_their_file_is(name):
    path = FILE_OF_SCHEMA[name].removeprefix("results/{experiment}/")
    after = PAGE[PAGE.index(f"`{path}`") :]
    section = after[: 1 + after[1:].find("\n## ")] if "\n## " in after else after
    assert [field.name for field in SCHEMAS[name] if not is_named(field.name, section)] == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_path_is_named(name):
    path = TEMPLATES[name].removeprefix("results/{experiment}").removeprefix("/")
    assert f"`{path}" in PAGE or f"`{path}/" in PAGE


def test_the_page_states_the_format_version():
    from coactivation_manifolds.storage import FORMAT_KEY, FORMAT_VERSION

    assert f"`{FORMAT_KEY.decode()}`" in PAGE
    assert f"(both {FORMAT_VERSION})" in PAGE
