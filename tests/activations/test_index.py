import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from dense_rows import dense_matrices, random_dense, rows_from_dense
from hypothesis import given, settings
from hypothesis import strategies as st

from coactivation_manifolds.activations import index_tokens
from coactivation_manifolds.activations.activation_writer import ShardWriter
from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.activations.index_build import build_index
from coactivation_manifolds.activations.posting_lists import latent_ranges
from coactivation_manifolds.activations.slices import write_slice
from coactivation_manifolds.activations.token_rows import TokenRows, concatenate
from coactivation_manifolds.errors import InputError, ResultsError
from coactivation_manifolds.storage import read_table

FILES = ("feature_offsets.npy", "token_rows.npy", "values.npy", "tokens.arrow")


def write_shards(folder: Path, rows: TokenRows, cuts: list[int], *, part_rows: int = 4) -> list[Path]:
    """The rows as shards cut at ``cuts``; the paths of the manifests."""
    edges = [0, *cuts, rows.n_tokens]
    manifests = []
    for shard, (first, last) in enumerate(itertools.pairwise(edges)):
        writer = ShardWriter(folder / f"shard={shard:06d}", shard=shard, n_latents=rows.n_latents, fingerprint={})
        starts = range(first, last, part_rows)
        for number, start in enumerate(starts):
            part = rows.rows(start, min(start + part_rows, last))
            writer.write_part(number, part, first_batch=number, last_batch=number)
        manifests.append(writer.folder / "manifest.json")
        writer.commit(manifests[-1], expected_parts=len(starts))
    return manifests


def build(manifests: list[Path], folder: Path, **options: Any) -> FeatureIndex:
    """Build the index in a folder and open it."""
    names = ("offsets_path", "token_rows_path", "values_path", "tokens_path")
    build_index(manifests, **dict(zip(names, (folder / name for name in FILES), strict=True)), **options)
    return FeatureIndex.open(folder / FILES[0])


def index_of(dense: np.ndarray, folder: Path, cuts: list[int] | None = None, **options: Any) -> FeatureIndex:
    """The index of a dense matrix."""
    manifests = write_shards(
        folder / "activations", rows_from_dense(dense), cuts or [], part_rows=max(4, len(dense) // 5)
    )
    return build(manifests, folder / "index", **options)


@settings(deadline=None, max_examples=25)
@given(dense=dense_matrices(), data=st.data())
def test_postings_are_the_columns_of_the_dense_matrix(
    dense: np.ndarray, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(dense)), max_size=3)))
    index = index_of(dense, tmp_path_factory.mktemp("index"), cuts, entries_in_memory=data.draw(st.integers(1, 60)))
    assert (index.n_tokens, index.n_latents) == dense.shape
    np.testing.assert_array_equal(index.counts, (dense > 0).sum(axis=0))
    for latent in range(dense.shape[1]):
        token_rows, values = index.postings(latent)
        np.testing.assert_array_equal(token_rows, np.flatnonzero(dense[:, latent]))
        np.testing.assert_array_equal(values, dense[dense[:, latent] > 0, latent])
        assert (token_rows.dtype, values.dtype) == (np.uint32, np.float16)


def test_the_bytes_do_not_depend_on_shards_parts_memory_or_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_tokens, "TOKENS_PER_BATCH", 7)
    rows = rows_from_dense(random_dense(5, n_tokens=40, n_latents=9))
    contents = []
    ways = [([], 40, 10**6, 1), ([0, 11, 30], 3, 60, 2), ([20], 9, 1, 3)]
    for number, (cuts, part_rows, memory, threads) in enumerate(ways):
        folder = tmp_path / str(number)
        manifests = write_shards(folder, rows, cuts, part_rows=part_rows)
        build(manifests, folder / "index", entries_in_memory=memory, threads=threads)
        contents.append([(folder / "index" / name).read_bytes() for name in FILES])
        assert sorted(path.name for path in (folder / "index").iterdir()) == sorted(FILES)
    assert contents[0] == contents[1] == contents[2]


@settings(deadline=None, max_examples=50)
@given(counts=st.lists(st.integers(0, 9), min_size=1, max_size=20), bound=st.integers(1, 12))
def test_ranges_cover_all_latents_and_keep_the_bound(counts: list[int], bound: int) -> None:
    ranges = list(latent_ranges(np.array(counts), bound))
    assert [latent for first, last in ranges for latent in range(first, last)] == list(range(len(counts)))
    for first, last in ranges:
        assert sum(counts[first:last]) <= bound or np.count_nonzero(counts[first:last]) == 1


@pytest.mark.parametrize("dense_path", [True, False], ids=["counters", "merged lists"])
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), data=st.data())
def test_slices_are_blocks_of_the_dense_matrix(
    dense_path: bool, seed: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    n_tokens, density = (30, 0.4) if dense_path else (400, 0.005)
    dense = random_dense(seed, n_tokens=n_tokens, n_latents=8, density=density)
    index = index_of(dense, tmp_path_factory.mktemp("index"))
    features = data.draw(st.lists(st.integers(0, 7), unique=True, max_size=6))
    min_active = data.draw(st.integers(1, 3))
    positions = data.draw(st.sampled_from([None, (1, 3), [0, 1]]))
    keep = (dense[:, features] > 0).sum(axis=1) >= min_active
    if positions is not None:
        position = np.arange(n_tokens) % 5
        keep &= (position >= positions[0]) & (position < positions[1])
    rows = index.slice(features, min_active=min_active, positions=positions)
    np.testing.assert_array_equal(rows.token_rows, np.flatnonzero(keep))
    np.testing.assert_array_equal(rows.activations, dense[keep][:, features].astype(np.float32))
    assert (rows.token_rows.dtype, rows.activations.dtype) == (np.int64, np.float32)
    blocks = list(index.iter_slice(features, min_active=min_active, positions=positions, block_entries=9))
    np.testing.assert_array_equal(np.concatenate([[], *(block.token_rows for block in blocks)]), rows.token_rows)
    for block in blocks:
        assert block.activations.size <= 9 or len(block.token_rows) == 1
        np.testing.assert_array_equal(block.activations, dense[block.token_rows][:, features])
    assert index.count_any(features) == np.count_nonzero((dense[:, features] > 0).any(axis=1))


def test_activations_at_chosen_tokens(tmp_path: Path) -> None:
    dense = random_dense(8, n_tokens=30, n_latents=5)
    index = index_of(dense, tmp_path)
    chosen = np.array([2, 3, 11, 29])
    np.testing.assert_array_equal(index.activations_at([4, 0], chosen), dense[chosen][:, [4, 0]])
    assert index.activations_at([4, 0], np.zeros(0, np.int64)).shape == (0, 2)


def test_tokens_and_next_tokens(tmp_path: Path) -> None:
    # two documents; in the second one a token is missing between positions 1 and 3; the last token's id is unknown
    dense = np.ones((7, 2), np.float16)
    plain = rows_from_dense(dense)
    rows = TokenRows(
        doc_id=np.array([0, 0, 0, 1, 1, 1, 1]),
        token_index=np.array([0, 1, 5, 6, 7, 8, 9]),
        position_in_doc=np.array([0, 1, 2, 0, 1, 3, 4], np.int32),
        token_id=np.array([10, 11, 12, 13, 14, 15, -1], np.int32),
        offsets=plain.offsets,
        feature_ids=plain.feature_ids,
        activations=plain.activations,
        n_latents=2,
    )
    index = build(write_shards(tmp_path, rows, [3]), tmp_path / "index")
    everything = np.arange(7)
    assert index.next_token_ids(everything).to_pylist() == [11, 12, None, 14, None, None, None]
    assert index.next_token_ids(np.array([3, 0])).to_pylist() == [14, 11]
    assert index.tokens(np.array([6, 0])).to_pylist() == [
        {"doc_id": 1, "token_index": 9, "position_in_doc": 4, "token_id": None},
        {"doc_id": 0, "token_index": 0, "position_in_doc": 0, "token_id": 10},
    ]
    assert index.token_ids().tolist() == [10, 11, 12, 13, 14, 15, -1]


def test_next_tokens_without_positions_follow_token_index(tmp_path: Path) -> None:
    plain = rows_from_dense(np.ones((4, 1), np.float16), words_per_doc=9)
    rows = TokenRows(
        **{
            **{name: getattr(plain, name) for name in ("doc_id", "offsets", "feature_ids", "activations", "n_latents")},
            "token_index": np.array([0, 1, 3, 4]),
            "position_in_doc": np.full(4, -1, np.int32),
            "token_id": np.arange(4, dtype=np.int32),
        }
    )
    index = build(write_shards(tmp_path, rows, []), tmp_path / "index")
    assert index.next_token_ids(np.arange(4)).to_pylist() == [1, None, 3, None]
    with pytest.raises(InputError, match="position_in_doc"):
        index.slice([0], positions=(0, 2))


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 1000), features=st.lists(st.integers(0, 5), unique=True, max_size=4))
def test_tables_restrict_the_rows(seed: int, features: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("index")
    dense = random_dense(seed, n_tokens=17, n_latents=6)
    index = index_of(dense, folder)
    restricted = np.zeros_like(dense)
    restricted[:, features] = dense[:, features]
    keep = restricted.any(axis=1)
    expected = rows_from_dense(restricted).select(keep).to_table()
    for table in (
        index.table(features),
        pa.concat_tables(list(index.iter_tables(features, block_rows=3)) or [index.table([])]),
    ):
        assert table.column("token_row").to_pylist() == np.flatnonzero(keep).tolist()
        assert table.drop_columns(["token_row"]).equals(expected)
    assert write_slice(index, features, folder / "x.parquet") == keep.sum()
    assert read_table(folder / "x.parquet").drop_columns(["token_row"]).to_pylist() == expected.to_pylist()


def test_wrong_questions(tmp_path: Path) -> None:
    index = index_of(random_dense(0, n_tokens=5, n_latents=3), tmp_path)
    with pytest.raises(InputError, match="there is no latent 3: this experiment has 0 to 2"):
        index.postings(3)
    with pytest.raises(InputError, match="no latent -1"):
        index.slice([-1, 0])
    with pytest.raises(InputError, match="latent 1 is named twice"):
        index.table([1, 0, 1])
    with pytest.raises(InputError, match="min_active is 0"):
        index.slice([1], min_active=0)


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    for name, n_tokens in (("a", 30), ("b", 12)):
        index_of(random_dense(n_tokens, n_tokens=n_tokens, n_latents=5), tmp_path / name)
    for file in FILES:
        mixed = tmp_path / f"mixed-{file}"
        mixed.mkdir()
        for name in FILES:
            (mixed / name).write_bytes((tmp_path / ("b" if name == file else "a") / "index" / name).read_bytes())
        with pytest.raises(ResultsError, match="do not belong together"):
            FeatureIndex.open(mixed / FILES[0])


@pytest.mark.parametrize("file", FILES)
def test_missing_and_truncated_files(file: str, tmp_path: Path) -> None:
    index_of(random_dense(3, n_tokens=30, n_latents=5), tmp_path)
    path = tmp_path / "index" / file
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="is damaged"):
        FeatureIndex.open(tmp_path / "index" / FILES[0])
    path.unlink()
    with pytest.raises(InputError, match="does not exist"):
        FeatureIndex.open(tmp_path / "index" / FILES[0])


def test_a_changed_part_stops_the_build_and_leaves_no_file(tmp_path: Path) -> None:
    manifests = write_shards(tmp_path, rows_from_dense(random_dense(3, n_tokens=30, n_latents=5)), [10])
    part = tmp_path / "shard=000001/part-00002.parquet"
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    with pytest.raises(ResultsError, match="was changed"):
        build(manifests, tmp_path / "index")
    assert list((tmp_path / "index").iterdir()) == []


def test_wide_saes_and_ids_beyond_uint16(tmp_path: Path) -> None:
    n_latents = 65_537
    plain = rows_from_dense(np.ones((3, 2), np.float16))
    rows = concatenate(
        [
            TokenRows(
                **{
                    **{name: getattr(plain, name) for name in ("doc_id", "token_index", "position_in_doc", "token_id")},
                    "offsets": plain.offsets,
                    "feature_ids": np.array([0, 65_536] * 3, np.uint32),
                    "activations": plain.activations,
                    "n_latents": n_latents,
                }
            )
        ],
        n_latents,
    )
    index = build(write_shards(tmp_path, rows, []), tmp_path / "index", entries_in_memory=4)
    assert index.counts[[0, 1, 65_535, 65_536]].tolist() == [3, 0, 0, 3]
    assert index.table([65_536]).column("feature_ids").to_pylist() == [[65_536]] * 3
