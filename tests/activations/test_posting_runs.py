from pathlib import Path

import numpy as np
import pytest
from dense_rows import random_dense, rows_from_dense

from coactivation_manifolds.activations import posting_runs
from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.activations.index_build import map_ahead
from coactivation_manifolds.activations.posting_runs import (
    VALUE_BITS,
    SpilledColumn,
    merged_starts,
    sort_by_latent,
    write_merged,
)


@pytest.mark.parametrize("row_type", [np.uint32, np.uint64])
@pytest.mark.parametrize("merged_entries", [1, 7, 10_000])
def test_sorted_and_merged_postings_are_those_of_the_whole(
    row_type: type, merged_entries: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting_runs, "MERGED_ENTRIES", merged_entries)
    dense = random_dense(1, n_tokens=50, n_latents=8)
    rows = rows_from_dense(dense)
    options = {"n_latents": 8, "row_type": np.dtype(row_type)}
    whole = sort_by_latent([rows], first_row=0, **options)
    latent, row = np.nonzero(dense.T)
    np.testing.assert_array_equal(whole.token_rows, row)
    np.testing.assert_array_equal(whole.values.view(np.float16), dense.T[latent, row])
    assert whole.token_rows.dtype == row_type
    runs = [
        sort_by_latent([rows.rows(0, 9), rows.rows(9, 20)], first_row=0, **options),
        sort_by_latent([rows.rows(20, 20)], first_row=20, **options),
        sort_by_latent([rows.rows(20, 50)], first_row=20, **options),
    ]
    starts = merged_starts(runs, 8)
    np.testing.assert_array_equal(starts, whole.starts)
    for name, dtype in (("token_rows", np.dtype(row_type)), ("values", VALUE_BITS)):
        (tmp_path / "first").write_bytes(getattr(runs[0], name).tobytes())
        with (tmp_path / "first").open("rb") as first, (tmp_path / name).open("wb") as file:
            columns = [(run.starts, getattr(run, name)) for run in runs]
            columns[0] = (runs[0].starts, SpilledColumn(first, dtype))
            write_merged(columns, starts, file, dtype)
        np.testing.assert_array_equal(np.fromfile(tmp_path / name, dtype), getattr(whole, name))


def test_results_come_in_order_and_the_rest_is_dropped_after_an_error() -> None:
    from concurrent.futures import ThreadPoolExecutor

    done = []

    def work(item: int) -> int:
        if item == 3:
            raise ValueError("three")
        done.append(item)
        return item

    with ThreadPoolExecutor(1) as pool:
        assert list(map_ahead(pool, work, [5, 1, 4], ahead=2)) == [5, 1, 4]
        with pytest.raises(ValueError, match="three"):
            list(map_ahead(pool, work, [0, 3, *range(10, 1000)], ahead=2))
    assert len(done) < 10


def test_all_postings_come_by_ranges_of_latents() -> None:
    from test_latent_tokens import index_in_memory

    dense = random_dense(4, n_tokens=30, n_latents=7)
    index: FeatureIndex = index_in_memory(dense, np.arange(30))
    parts = list(index.iter_latents(entries=9))
    assert len(parts) > 1
    for part in parts:
        for f in range(len(part.starts) - 1):
            mine = slice(int(part.starts[f]), int(part.starts[f + 1]))
            np.testing.assert_array_equal(part.token_rows[mine], np.flatnonzero(dense[:, part.first + f]))
            np.testing.assert_array_equal(part.values[mine], dense[dense[:, part.first + f] > 0, part.first + f])
