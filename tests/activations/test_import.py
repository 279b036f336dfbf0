import dataclasses
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse
import yaml
from dense_rows import assert_same_rows, dense_from_rows, dense_matrices, random_dense, rows_from_dense
from hypothesis import given, settings
from hypothesis import strategies as st
from import_files import (
    imported_rows,
    run_import,
    settings_of,
    write_csr,
    write_npz_shards,
    write_parquet,
)

from coactivation_manifolds.activations.activation_writer import ShardWriter
from coactivation_manifolds.activations.importers import (
    csr_source,
    cutting,
    import_activations,
    npz_source,
    parquet_source,
    publish_import_shard,
    source,
)
from coactivation_manifolds.activations.token_rows import TokenRows
from coactivation_manifolds.errors import ConfigError, InputError, ResultsError
from coactivation_manifolds.storage import read_json

DOCS = Path(__file__).parents[2] / "docs/import.md"
KINDS = ("parquet", "csr", "npz_shards")


def write(kind: str, folder: Path, rows: TokenRows, size: int = 7) -> None:
    """The rows in one of the formats."""
    if kind == "parquet":
        write_parquet(folder, rows, size)
    elif kind == "csr":
        write_csr(folder, rows, kind="csc" if size % 2 else "csr")
    else:
        write_npz_shards(folder, rows, size)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks and parts of a few rows, so that small inputs cross their borders."""
    for module in (source, csr_source, npz_source, parquet_source):
        monkeypatch.setattr(module, "BLOCK_ROWS", 4)
    monkeypatch.setattr(parquet_source, "SCAN_ROWS", 5)
    monkeypatch.setattr(cutting, "PART_ROWS", 3)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=12)
@given(dense=dense_matrices(max_tokens=14), size=st.integers(1, 12), shards=st.integers(1, 4))
def test_imports_give_the_dense_matrix(
    kind: str, dense: np.ndarray, size: int, shards: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("import")
    rows = rows_from_dense(dense)
    if kind == "npz_shards":
        rows = rows.select(rows.latents_per_token > 0)
    write(kind, folder / "data", rows, size)
    given_settings = settings_of(kind, folder / "data", rows.n_latents, shards=shards)
    if rows.n_tokens == 0:
        with pytest.raises(InputError, match="nothing to import"):
            run_import(given_settings, folder)
        return
    assert_same_rows(rows, imported_rows(run_import(given_settings, folder)))


@pytest.mark.parametrize("n_latents", [65_536, 65_537, 131_072])
@pytest.mark.parametrize("kind", KINDS)
def test_ids_wider_than_16_bits(kind: str, n_latents: int, tmp_path: Path) -> None:
    plain = rows_from_dense(np.ones((2, 2), np.float16))
    dtype = np.uint16 if n_latents == 65_536 else np.uint32
    rows = dataclasses.replace(plain, feature_ids=np.array([0, n_latents - 1] * 2, dtype), n_latents=n_latents)
    write(kind, tmp_path / "data", rows)
    assert_same_rows(rows, imported_rows(run_import(settings_of(kind, tmp_path / "data", n_latents), tmp_path)))


def test_parquet_of_other_writers(tmp_path: Path) -> None:
    dense = random_dense(1, n_tokens=9, n_latents=5)
    table = rows_from_dense(dense).to_table().drop_columns(["position_in_doc", "token_id"])
    for name, kind in (("feature_ids", pa.int64()), ("activations", pa.float64())):
        table = table.set_column(table.schema.get_field_index(name), name, table.column(name).cast(pa.list_(kind)))
    table = table.append_column("comment", pa.array(["x"] * 9))
    pq.write_table(table, tmp_path / "mine.parquet", row_group_size=2, compression="snappy")
    settings_given = settings_of("parquet", tmp_path / "mine.parquet", 5)
    rows = imported_rows(run_import(settings_given, tmp_path))
    np.testing.assert_array_equal(dense_from_rows(rows), dense)
    assert set(rows.position_in_doc.tolist()) == {-1} == set(rows.token_id.tolist())


def test_files_are_taken_in_the_order_of_their_tokens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = rows_from_dense(random_dense(1, n_tokens=30, n_latents=5))
    for name, first in (("9", 10), ("10", 20), ("8", 0)):
        pq.write_table(rows.rows(first, first + 10).to_table(), tmp_path / f"{name}.parquet")
    pq.write_table(rows.rows(0, 0).to_table(), tmp_path / "empty.parquet")
    manifests = run_import(settings_of("parquet", tmp_path / "*.parquet", 5), tmp_path)
    assert_same_rows(rows, imported_rows(manifests))
    assert "not that of their names" in caplog.text and "1 of 4 files hold no rows" in caplog.text


def test_folders_are_searched_but_for_hidden_files(tmp_path: Path) -> None:
    rows = rows_from_dense(random_dense(1, n_tokens=8, n_latents=5))
    write_parquet(tmp_path / "data/deep", rows, 8)
    write_parquet(tmp_path / "data/.hidden", rows, 8)
    write_parquet(tmp_path / "data/_temporary", rows, 8)
    assert_same_rows(rows, imported_rows(run_import(settings_of("parquet", tmp_path / "data", 5), tmp_path)))


def test_zeros_stored_in_a_matrix_are_dropped_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dense = random_dense(3, n_tokens=20, n_latents=6)
    matrix = scipy.sparse.csr_array(dense.astype(np.float32))
    matrix.data[[0, 5, 6]] = [0.0, -0.0, 0.0]
    scipy.sparse.save_npz(tmp_path / "matrix.npz", matrix)
    settings_given = settings_of("csr", tmp_path, 6, tokens=None)
    rows = imported_rows(run_import(settings_given, tmp_path))
    np.testing.assert_array_equal(dense_from_rows(rows), matrix.todense())
    assert rows.n_entries == matrix.nnz - 3
    assert "3 zeros stored in the matrix were dropped" in caplog.text
    notes = read_json(tmp_path / "activations/import.json")["notes"]
    assert any("3 zeros" in note for note in notes) and any("one document" in note for note in notes)
    assert rows.token_index.tolist() == list(range(20)) and set(rows.doc_id.tolist()) == {0}


def test_token_tables_may_call_the_ids_token(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = rows_from_dense(random_dense(3, n_tokens=6, n_latents=4))
    write_csr(tmp_path, rows)
    table = pq.read_table(tmp_path / "tokens.parquet").rename_columns({"token_id": "token"})
    pq.write_table(table, tmp_path / "tokens.parquet")
    assert_same_rows(rows, imported_rows(run_import(settings_of("csr", tmp_path, 4), tmp_path)))


def test_texts_of_a_token_table_become_the_vocabulary(tmp_path: Path) -> None:
    rows = rows_from_dense(random_dense(3, n_tokens=6, n_latents=4))
    write_csr(tmp_path, rows)
    table = pq.read_table(tmp_path / "tokens.parquet")
    words = [" the", "cat", " the", None, "a", "cat"]
    pq.write_table(
        table.drop_columns(["token_id"]).append_column("token", pa.array(words)), tmp_path / "tokens.parquet"
    )
    settings_given = settings_of("csr", tmp_path, 4)
    record = tmp_path / "activations/import.json"
    import_activations(settings_given, record_path=record, vocab_path=tmp_path / "vocab.parquet")
    manifest = tmp_path / "activations/shard=000000/manifest.json"
    publish_import_shard(0, record_path=record, manifest_path=manifest)
    found = imported_rows([manifest])
    assert found.token_id.tolist() == [0, 2, 0, -1, 1, 2]
    vocab = pq.read_table(tmp_path / "vocab.parquet")
    assert vocab.to_pydict() == {"token_id": [0, 1, 2], "text": [" the", "a", "cat"]}


def test_an_id_with_two_texts_is_refused(tmp_path: Path) -> None:
    rows = rows_from_dense(random_dense(3, n_tokens=6, n_latents=4))
    write_csr(tmp_path, rows)
    table = pq.read_table(tmp_path / "tokens.parquet")
    same = table.set_column(table.schema.get_field_index("token_id"), "token_id", pa.array([7] * 6))
    pq.write_table(same.append_column("token", pa.array(list("aaabaa"))), tmp_path / "tokens.parquet")
    with pytest.raises(InputError, match=r"tokens.parquet: token_id 7 has two texts"):
        import_activations(settings_of("csr", tmp_path, 4), record_path=tmp_path / "activations/import.json")


def test_tokens_without_entries_are_counted(tmp_path: Path) -> None:
    dense = random_dense(3, n_tokens=10, n_latents=4, density=1.0)
    dense[[3, 4, 7]] = 0
    rows = dataclasses.replace(rows_from_dense(dense), token_index=np.arange(10))
    rows = rows.select(rows.latents_per_token > 0)
    write_npz_shards(tmp_path / "data", rows, 5)
    assert_same_rows(rows, imported_rows(run_import(settings_of("npz_shards", tmp_path / "data", 4), tmp_path)))
    (note,) = read_json(tmp_path / "activations/import.json")["notes"]
    assert note.startswith("3 of the token_indices")


def test_tiny_values_are_counted_in_their_shard(tmp_path: Path) -> None:
    rows = rows_from_dense(random_dense(3, n_tokens=10, n_latents=4, density=1.0))
    values = rows.activations.astype(np.float64)
    values[[1, 30, 39]] = 1e-12
    write_npz_shards(tmp_path / "data", rows, 1000, activations=values)
    run_import(settings_of("npz_shards", tmp_path / "data", 4, shards=2), tmp_path)
    counts = [shard["n_raised_to_subnormal"] for shard in read_json(tmp_path / "activations/import.json")["shards"]]
    assert counts == [1, 2]


def test_more_shards_than_rows(tmp_path: Path) -> None:
    rows = rows_from_dense(random_dense(3, n_tokens=2, n_latents=4, density=1.0))
    write_parquet(tmp_path / "data", rows, 2)
    manifests = run_import(settings_of("parquet", tmp_path / "data", 4, shards=5), tmp_path)
    assert_same_rows(rows, imported_rows(manifests))


# importing again


def test_a_second_import_replaces_the_first_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = rows_from_dense(random_dense(4, n_tokens=40, n_latents=6))
    write_parquet(tmp_path / "data", rows, 40)
    run_import(settings_of("parquet", tmp_path / "data", 6, shards=3), tmp_path)
    changed = rows_from_dense(random_dense(5, n_tokens=25, n_latents=6))
    write_parquet(tmp_path / "data", changed, 25)
    manifests = run_import(settings_of("parquet", tmp_path / "data", 6, shards=2), tmp_path)
    assert_same_rows(changed, imported_rows(manifests))
    names = sorted(path.name for path in (tmp_path / "activations").iterdir())
    assert names == ["import.json", "shard=000000", "shard=000001"]
    assert "the import now has 2 shards" in caplog.text


def test_bad_input_leaves_a_complete_import_as_it_was(tmp_path: Path) -> None:
    rows = rows_from_dense(random_dense(4, n_tokens=40, n_latents=6))
    write_parquet(tmp_path / "data", rows, 40)
    run_import(settings_of("parquet", tmp_path / "data", 6, shards=3), tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / "activations").rglob("*") if path.is_file()}
    bad = dataclasses.replace(rows, activations=np.append(rows.activations[:-1], np.float16(np.nan)))
    write_parquet(tmp_path / "data", bad, 40)
    with pytest.raises(InputError, match="row 39: an activation is NaN"):
        run_import(settings_of("parquet", tmp_path / "data", 6, shards=2), tmp_path)
    after = {path: path.read_bytes() for path in (tmp_path / "activations").rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.usefixtures("small_blocks")
def test_a_killed_import_goes_on_from_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_from_dense(random_dense(4, n_tokens=40, n_latents=6))
    write_parquet(tmp_path / "data", rows, 11)
    given_settings = settings_of("parquet", tmp_path / "data", 6, shards=3)
    run_import(given_settings, tmp_path / "undisturbed")
    write_part = ShardWriter.write_part
    written: list[int] = []

    def counted(self: ShardWriter, number: int, *args: object, **options: object) -> object:
        if len(written) == 6:
            raise KeyboardInterrupt
        written.append(number)
        return write_part(self, number, *args, **options)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(ShardWriter, "write_part", counted)
    with pytest.raises(KeyboardInterrupt):
        run_import(given_settings, tmp_path)
    monkeypatch.setattr(
        ShardWriter, "write_part", lambda *args, **options: written.append(0) or write_part(*args, **options)
    )
    manifests = run_import(given_settings, tmp_path)
    assert_same_rows(rows, imported_rows(manifests))
    assert len(written) == sum(
        len(shard["parts"]) for shard in read_json(tmp_path / "activations/import.json")["shards"]
    )
    for path in (tmp_path / "undisturbed/activations").rglob("*.*"):
        assert (
            path.read_bytes()
            == (tmp_path / "activations" / path.relative_to(tmp_path / "undisturbed/activations")).read_bytes()
        )


def test_an_import_never_takes_the_place_of_a_harvest(tmp_path: Path) -> None:
    rows = rows_from_dense(random_dense(4, n_tokens=10, n_latents=6))
    writer = ShardWriter(tmp_path / "activations/shard=000000", shard=0, n_latents=6, fingerprint={"model": "m"})
    writer.write_part(0, rows, first_batch=0, last_batch=0)
    write_parquet(tmp_path / "data", rows, 10)
    with pytest.raises(ResultsError, match="was harvested from a model, not imported"):
        run_import(settings_of("parquet", tmp_path / "data", 6), tmp_path)
    assert list(writer.completed_parts()) == [0]


def test_publishing_checks_the_parts(tmp_path: Path) -> None:
    rows = rows_from_dense(random_dense(4, n_tokens=10, n_latents=6))
    write_parquet(tmp_path / "data", rows, 10)
    (manifest,) = run_import(settings_of("parquet", tmp_path / "data", 6), tmp_path)
    record = tmp_path / "activations/import.json"
    with pytest.raises(ResultsError, match="has no shard 1"):
        publish_import_shard(1, record_path=record, manifest_path=manifest)
    manifest.unlink()
    part = manifest.with_name("part-00000.parquet")
    part.write_bytes(part.read_bytes() + b" ")
    with pytest.raises(ResultsError, match=r"part-00000\.parquet was changed .*delete .*import\.json"):
        publish_import_shard(0, record_path=record, manifest_path=manifest)
    part.unlink()
    with pytest.raises(ResultsError, match="is missing"):
        publish_import_shard(0, record_path=record, manifest_path=manifest)
    assert not manifest.exists()


def test_settings_that_contradict_the_format(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'"parquett" is unknown .did you mean "parquet"'):
        import_activations({"format": "parquett", "path": "x", "n_latents": 3}, record_path=tmp_path / "import.json")
    with pytest.raises(ConfigError, match=r"activations\.tokens is for the format csr"):
        import_activations(
            {"format": "parquet", "path": "x", "n_latents": 3, "tokens": "t"}, record_path=tmp_path / "import.json"
        )


# the examples in the documentation


def test_the_examples_of_the_documentation_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"^```(python|yaml)\n(.*?)^```$", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    assert [language for language, _ in blocks] == ["python", "yaml"] * 3 + ["python"]
    formats = []
    for language, text in blocks:
        if language == "python":
            exec(compile(text, str(DOCS), "exec"), {})
            continue
        section = yaml.safe_load(text)["activations"]
        formats.append(section["format"])
        rows = imported_rows(run_import({"tokens": None, "shards": 1} | section, tmp_path / section["format"]))
        assert rows.n_tokens == 10_000 and rows.n_latents == 512
        assert rows.n_entries == pytest.approx(80_000, rel=0.01)
        assert rows.position_in_doc[:3].tolist() == [0, 1, 2] and rows.token_id.min() >= 0
        if "decoder" in section:
            assert np.load(section["decoder"]).shape[0] == section["n_latents"]
    assert sorted(formats) == sorted(KINDS)
