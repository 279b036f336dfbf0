"""Paths with wildcards, and tables of fixed columns."""

import re

import pyarrow as pa
import pytest

from coactivation_manifolds import paths, schemas
from coactivation_manifolds.errors import InputError

TEMPLATES = {name: value for name, value in vars(paths).items() if name.isupper() and isinstance(value, str)}


def test_every_path_is_below_the_experiment():
    assert len(TEMPLATES) > 35
    assert all(template.startswith("results/{experiment}") for template in TEMPLATES.values())
    assert len(set(TEMPLATES.values())) == len(TEMPLATES)


def test_templates_use_known_wildcards_only():
    for template in TEMPLATES.values():
        assert set(re.findall(r"{(\w+)}", template)) <= set(paths.WILDCARDS)


def test_numbers_are_filled_with_fixed_digits():
    assert str(paths.fill(paths.SHARD_COUNTS, experiment="x", shard=7)) == "results/x/cooccurrence/shard=000007.parquet"
    assert str(paths.fill(paths.SHARD_COUNTS, experiment="x", shard="000007")).endswith("shard=000007.parquet")
    filled = paths.fill(paths.CLUSTER_PCA, experiment="x", clustering="components_j0.20", cluster=12345)
    assert filled.parts[-2] == "cluster=12345"


@pytest.mark.parametrize(
    ("wildcard", "right", "wrong"),
    [
        ("experiment", ["demo", "gemma-2-2b_layer12_65k", "A.b"], ["", "-x", ".x", "a/b", "a b", "../x"]),
        ("shard", ["000000", "123456"], ["0", "0000001", "00000x"]),
        ("clustering", ["components_j0.20", "leiden_cpm_phi_j0.05_r0.050_s0"], ["kmeans_3", "components_J0.2", ""]),
        ("cluster", ["0000", "12345"], ["3", "003", "x"]),
    ],
)
def test_wildcards(wildcard, right, wrong):
    pattern = re.compile(paths.WILDCARDS[wildcard])
    assert all(pattern.fullmatch(value) for value in right)
    assert not any(pattern.fullmatch(value) for value in wrong)


@pytest.mark.parametrize(("n_latents", "expected"), [(1, "uint16"), (65_536, "uint16"), (65_537, "uint32")])
def test_ids_take_the_smallest_type_that_holds_them(n_latents, expected):
    assert str(schemas.feature_id_type(n_latents)) == expected
    assert str(schemas.activations_schema(n_latents).field("feature_ids").type.value_type) == expected


def test_conform_builds_exactly_the_schema():
    table = schemas.conform({"n_ab": [3], "feature_b": [2], "feature_a": [1]}, schemas.PAIR_COUNTS)
    assert table.schema == schemas.PAIR_COUNTS
    assert table.to_pylist() == [{"feature_a": 1, "feature_b": 2, "n_ab": 3}]
    with pytest.raises(KeyError):
        schemas.conform({"feature_a": [1]}, schemas.PAIR_COUNTS)
    with pytest.raises((pa.ArrowInvalid, OverflowError)):
        schemas.conform({"feature_a": [-1], "feature_b": [2], "n_ab": [3]}, schemas.PAIR_COUNTS)


def test_require_columns_names_what_is_wrong():
    schemas.require_columns(schemas.CANDIDATES.empty_table(), schemas.CANDIDATES, "x.parquet")
    with pytest.raises(InputError, match=r"x\.parquet lacks the column 'n_ab'"):
        schemas.require_columns(schemas.CANDIDATES.empty_table(), schemas.PAIR_COUNTS, "x.parquet")
    wrong = pa.table({"feature_a": pa.array([1], pa.int64()), "feature_b": pa.array([1], pa.int64())})
    with pytest.raises(InputError, match="column 'feature_a' is int64, expected uint32"):
        schemas.require_columns(wrong, schemas.CANDIDATES, "x.parquet")
