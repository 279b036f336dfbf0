import dataclasses
import itertools
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from dense_rows import assert_same_rows, dense_from_rows, dense_matrices, random_dense, rows_from_dense
from hypothesis import given, settings
from hypothesis import strategies as st

from coactivation_manifolds.activations.token_rows import TokenRows, concatenate, empty_rows, feature_id_dtype
from coactivation_manifolds.errors import GuardRailError, InputError


@settings(deadline=None, max_examples=60)
@given(dense_matrices(), st.booleans())
def test_table_round_trip(dense: np.ndarray, short_lists: bool) -> None:
    rows = rows_from_dense(dense)
    table = rows.to_table()
    if short_lists:
        for name, kind in (("feature_ids", pa.int32()), ("activations", pa.float32())):
            column = table.column(name).cast(pa.list_(kind))
            table = table.set_column(table.schema.get_field_index(name), name, column)
    back = TokenRows.from_table(table, rows.n_latents)
    assert_same_rows(rows, back)
    np.testing.assert_array_equal(dense_from_rows(back), dense)


@settings(deadline=None, max_examples=40)
@given(dense_matrices(), st.data())
def test_cutting_and_joining_changes_nothing(dense: np.ndarray, data: st.DataObject) -> None:
    rows = rows_from_dense(dense)
    rows = dataclasses.replace(rows, raised=np.arange(0, rows.n_entries, 2))
    cuts = sorted(data.draw(st.lists(st.integers(0, rows.n_tokens), max_size=4)))
    edges = [0, *cuts, rows.n_tokens]
    joined = concatenate((rows.rows(a, b) for a, b in itertools.pairwise(edges)), rows.n_latents)
    assert_same_rows(rows, joined)
    np.testing.assert_array_equal(rows.raised, joined.raised)


@settings(deadline=None, max_examples=40)
@given(dense_matrices(), st.data())
def test_select_is_a_mask_of_the_dense_matrix(dense: np.ndarray, data: st.DataObject) -> None:
    rows = rows_from_dense(dense)
    rows = dataclasses.replace(rows, raised=np.arange(0, rows.n_entries, 3))
    keep = np.array(data.draw(st.lists(st.booleans(), min_size=len(dense), max_size=len(dense))), np.bool_)
    selected = rows.select(keep)
    np.testing.assert_array_equal(dense_from_rows(selected), dense[keep])
    np.testing.assert_array_equal(selected.token_index, rows.token_index[keep])
    raised = np.isin(np.arange(rows.n_entries), rows.raised)[np.repeat(keep, rows.latents_per_token)]
    np.testing.assert_array_equal(selected.raised, np.flatnonzero(raised))


def test_sliced_tables_are_read_from_their_own_start() -> None:
    rows = rows_from_dense(random_dense(1, n_tokens=10, n_latents=6))
    back = TokenRows.from_table(rows.to_table().slice(3, 4), 6)
    assert_same_rows(rows.rows(3, 7), back)


def test_tables_in_many_chunks_are_read_whole() -> None:
    rows = rows_from_dense(random_dense(2, n_tokens=9, n_latents=6))
    table = pa.concat_tables([rows.to_table().slice(0, 2), rows.to_table().slice(2, 0), rows.to_table().slice(2)])
    assert_same_rows(rows, TokenRows.from_table(table, 6))


def test_unknown_positions_and_tokens_are_null_in_the_table() -> None:
    rows = rows_from_dense(random_dense(3, n_tokens=4, n_latents=5))
    rows = dataclasses.replace(
        rows, position_in_doc=np.array([0, -1, 2, -1], np.int32), token_id=np.full(4, -1, np.int32)
    )
    table = rows.to_table()
    assert table.column("position_in_doc").to_pylist() == [0, None, 2, None]
    assert table.column("token_id").null_count == 4
    assert_same_rows(rows, TokenRows.from_table(table, 5))
    assert_same_rows(rows, TokenRows.from_table(table.drop_columns(["token_id"]), 5))


@pytest.mark.parametrize(("n_latents", "kind"), [(65_536, pa.uint16()), (65_537, pa.uint32()), (131_072, pa.uint32())])
def test_id_width_follows_the_number_of_latents(n_latents: int, kind: pa.DataType) -> None:
    table = pa.table(
        {
            "doc_id": [0],
            "token_index": [0],
            "feature_ids": pa.array([[0, n_latents - 1]], pa.list_(pa.int64())),
            "activations": pa.array([[1.0, 2.0]], pa.list_(pa.float32())),
        }
    )
    rows = TokenRows.from_table(table, n_latents)
    assert rows.feature_ids.tolist() == [0, n_latents - 1]
    assert rows.feature_ids.dtype == feature_id_dtype(n_latents)
    written = rows.to_table()
    assert written.schema.field("feature_ids").type.value_type == kind
    assert written.column("feature_ids").to_pylist() == [[0, n_latents - 1]]


def test_positions_window() -> None:
    dense = random_dense(4, n_tokens=12, n_latents=4)
    rows = rows_from_dense(dense, words_per_doc=5)
    inside = rows.in_positions([1, 3])
    assert set(inside.position_in_doc.tolist()) == {1, 2}
    np.testing.assert_array_equal(dense_from_rows(inside), dense[np.isin(rows.position_in_doc, [1, 2])])
    assert rows.in_positions(None) is rows
    unknown = dataclasses.replace(rows, position_in_doc=np.full(12, -1, np.int32))
    with pytest.raises(InputError, match=r"counting\.positions"):
        unknown.in_positions((0, 3))


def small_table(**columns: Any) -> pa.Table:
    """Two tokens with two latents each, some columns replaced; None drops one."""
    base: dict[str, Any] = {
        "doc_id": pa.array([0, 0]),
        "token_index": pa.array([0, 1]),
        "position_in_doc": pa.array([0, 1], pa.int32()),
        "token_id": pa.array([5, 6], pa.int32()),
        "feature_ids": pa.array([[0, 1], [1, 3]], pa.list_(pa.uint16())),
        "activations": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32())),
    }
    return pa.table({name: value for name, value in (base | columns).items() if value is not None})


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"doc_id": None}, r"lacks the column 'doc_id'"),
        ({"activations": None}, r"lacks the column 'activations'"),
        ({"feature_ids": pa.array([1, 2])}, r"'feature_ids' is int64, expected a list"),
        ({"feature_ids": pa.array([["a", "b"], []])}, r"lists of string"),
        ({"feature_ids": pa.array([[0, 1], [1]])}, r"row 11: 1 feature_ids but 2 activations"),
        ({"feature_ids": pa.array([[0, 1], None])}, r"row 11: feature_ids is null; write an empty list"),
        ({"feature_ids": pa.array([[0, 1], [None, 3]])}, r"row 11: feature_ids holds a null"),
        ({"feature_ids": pa.array([[0, 1], [1, 4]])}, r"row 11: feature id 4 is not in 0\.\.3"),
        ({"feature_ids": pa.array([[0, 1], [-1, 3]])}, r"row 11: feature id -1"),
        ({"feature_ids": pa.array([[0.0, 1.0], [1.0, 3.0]])}, r"expected integers"),
        ({"activations": pa.array([[1.0, 2.0], [3.0, float("nan")]])}, r"row 11: an activation is NaN"),
        ({"activations": pa.array([[1.0, 2.0], [3.0, -4.0]])}, r"row 11: .*negative \(-4\)"),
        ({"activations": pa.array([[1.0, 0.0], [3.0, 4.0]])}, r"row 10: an activation is 0"),
        ({"activations": pa.array([[1.0, 2.0], [3.0, 1e6]])}, r"row 11: the activation 1e\+06 is beyond float16"),
        ({"activations": pa.array([[1.0, 2.0], [3.0, None]])}, r"row 11: activations holds a null"),
        ({"token_index": pa.array([0, None])}, r"row 11: token_index is null"),
        ({"token_index": pa.array([0.0, 1.0])}, r"'token_index' is double, expected integers"),
        ({"doc_id": pa.array(["a", "b"])}, r"'doc_id' is string, expected integers"),
        ({"token_id": pa.array([-3, 6])}, r"row 10: token_id is -3"),
        ({"token_id": pa.array([2**40, 6])}, r"beyond int32"),
        ({"position_in_doc": pa.array(["x", "y"])}, r"'position_in_doc' is string"),
    ],
)
def test_wrong_tables_are_named_with_row_and_remedy(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        TokenRows.from_table(small_table(**columns), 4, source="given.parquet", first_row=10)
    assert str(caught.value).startswith("given.parquet")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"token_index": pa.array([1, 1])}, r"row 11: token_index 1 stands twice"),
        ({"token_index": pa.array([2, 1])}, r"row 11: token_index 1 follows 2; sort"),
        ({"token_index": pa.array([-1, 1])}, r"row 10: token_index is -1"),
        ({"doc_id": pa.array([1, 0])}, r"row 11: doc_id 0 follows 1"),
        ({"position_in_doc": pa.array([1, 1])}, r"row 11: position_in_doc 1 follows 1 in document 0"),
        ({"feature_ids": pa.array([[0, 1], [3, 1]])}, r"row 11: feature id 1 follows 3"),
        ({"feature_ids": pa.array([[0, 0], [1, 3]])}, r"row 10: feature id 0 stands twice"),
    ],
)
def test_disorder_is_named_with_row_and_remedy(columns: dict[str, Any], message: str) -> None:
    rows = TokenRows.from_table(small_table(**columns), 4)
    with pytest.raises(InputError, match=message):
        rows.check(source="given.parquet", first_row=10)


def test_check_finds_what_a_program_got_wrong() -> None:
    rows = rows_from_dense(np.ones((2, 3), np.float16))
    rows.check(source="x")
    for changed, message in [
        ({"n_latents": 2}, "feature id 2"),
        ({"activations": np.array([1, 1, 1, 1, 1, np.nan], np.float16)}, "row 1: an activation is NaN"),
        ({"activations": np.ones(5, np.float16)}, "5 activations"),
    ]:
        with pytest.raises(GuardRailError, match=message):
            dataclasses.replace(rows, **changed).check(source="x", error=GuardRailError)


def test_rows_that_start_with_a_smaller_id_after_silent_tokens_are_fine() -> None:
    dense = np.zeros((6, 4), np.float16)
    dense[1, 3] = dense[4, 0] = dense[4, 3] = 1
    rows_from_dense(dense).check(source="x")


def test_no_rows() -> None:
    rows = empty_rows(70_000)
    assert (rows.n_tokens, rows.n_entries, rows.n_raised_to_subnormal) == (0, 0, 0)
    rows.check(source="x")
    assert_same_rows(rows, TokenRows.from_table(rows.to_table(), 70_000))
