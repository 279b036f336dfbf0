import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coactivation_manifolds.corpus.sources import read_documents
from coactivation_manifolds.errors import ConfigError, InputError


def read(**corpus):
    return [(document.doc_id, document.text) for document in read_documents(corpus)]


def write_jsonl(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)


def test_jsonl(tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", [{"text": "one"}, {"text": ""}, {"text": None}, {"text": "gr\u00fcn"}])
    assert read(source="jsonl", path=path) == [(0, "one"), (1, ""), (2, ""), (3, "gr\u00fcn")]


def test_jsonl_blank_lines_and_byte_order_mark(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"text": "one"}\r\n\r\n{"text": "two"}')
    assert read(source="jsonl", path=str(path)) == [(0, "one"), (1, "two")]


def test_folder_reads_files_in_path_order_and_gzip(tmp_path):
    (tmp_path / "sub").mkdir()
    write_jsonl(tmp_path / "b.jsonl", [{"text": "b"}])
    write_jsonl(tmp_path / "sub" / "c.jsonl", [{"text": "c"}])
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a"}\n'))
    (tmp_path / "notes.md").write_text("no document")
    assert [text for _, text in read(source="jsonl", path=str(tmp_path))] == ["a", "b", "c"]


def test_glob_relative_and_absolute(tmp_path, monkeypatch):
    write_jsonl(tmp_path / "x1.jsonl", [{"text": "1"}])
    write_jsonl(tmp_path / "x2.jsonl", [{"text": "2"}])
    assert [text for _, text in read(source="jsonl", path=str(tmp_path / "x*.jsonl"))] == ["1", "2"]
    monkeypatch.chdir(tmp_path)
    assert [text for _, text in read(source="jsonl", path="x?.jsonl")] == ["1", "2"]


def test_a_text_file_is_one_document(tmp_path):
    (tmp_path / "a.txt").write_text("first line\nsecond line\n")
    (tmp_path / "b.txt").write_text("another")
    assert read(source="text", path=str(tmp_path)) == [(0, "first line\nsecond line\n"), (1, "another")]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int8(), pa.string())])
def test_parquet(tmp_path, kind):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"body": pa.array(["one", None, "three"], type=kind)}), path, row_group_size=2)
    assert read(source="parquet", path=str(path), text_column="body") == [(0, "one"), (1, ""), (2, "three")]


def test_hub_dataset_from_a_local_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "set"
    folder.mkdir()
    write_jsonl(folder / "train.jsonl", [{"text": "one"}, {"text": "two"}])
    corpus = {"source": "huggingface", "name": str(folder), "split": "train", "revision": "main"}
    assert read(**corpus) == [(0, "one"), (1, "two")]
    with pytest.raises(InputError, match=r"no column 'txet'.*the columns are: text"):
        read(**corpus, text_column="txet")
    with pytest.raises(InputError, match="can't read data set"):
        read(**corpus | {"split": "nonesuch"})
    with pytest.raises(InputError, match="can't read data set"):
        read(**corpus | {"name": str(tmp_path / "nothing-here")})


def test_missing_column_names_those_there_are(tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", [{"text": "x", "id": 1}, {"txt": "x", "id": 1}])
    with pytest.raises(
        InputError, match=r"a\.jsonl, line 2: there is no column 'text' \(did you mean \"txt\"\?\).*txt, id"
    ):
        read(source="jsonl", path=path)
    pq.write_table(pa.table({"body": ["x"], "number": [1]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="there is no column 'text'; the columns are: body, number"):
        read(source="parquet", path=str(tmp_path / "a.parquet"))
    with pytest.raises(InputError, match="column 'number' is int64, where text is expected"):
        read(source="parquet", path=str(tmp_path / "a.parquet"), text_column="number")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{not json}", "line 1: no JSON"),
        ('["text"]', "line 1: a list, where a JSON object is expected"),
        ('{"text": 7}', "line 1: 'text' is a int, where text is expected"),
    ],
)
def test_bad_json(tmp_path, line, message):
    path = tmp_path / "a.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(InputError, match=message):
        read(source="jsonl", path=str(path))


class TestInvalidUtf8:
    @pytest.fixture
    def paths(self, tmp_path):
        (tmp_path / "a.jsonl").write_bytes(b'{"text": "good"}\n{"text": "b\xffd"}\n{"text": "fine"}\n')
        (tmp_path / "surrogate.jsonl").write_bytes(b'{"text": "good"}\n{"text": "b\\ud800d"}\n{"text": "fine"}\n')
        for name, content in (("1", b"good"), ("2", b"b\xffd"), ("3", b"fine")):
            (tmp_path / f"{name}.txt").write_bytes(content)
        values = pa.array([b"good", b"b\xffd", b"fine"], type=pa.binary())
        pq.write_table(pa.table({"text": values}), tmp_path / "a.parquet")
        return {
            "jsonl": str(tmp_path / "a.jsonl"),
            "text": str(tmp_path),
            "parquet": str(tmp_path / "a.parquet"),
            "surrogate": str(tmp_path / "surrogate.jsonl"),
        }

    @pytest.mark.parametrize(
        ("kind", "place"),
        [("jsonl", "a.jsonl, line 2"), ("text", "2.txt"), ("parquet", "a.parquet, row 1"), ("surrogate", "line 2")],
    )
    def test_policies(self, paths, kind, place):
        source = "jsonl" if kind == "surrogate" else kind
        with pytest.raises(InputError, match=f"{place}: the document is not UTF-8.*invalid_utf8 to replace or skip"):
            read(source=source, path=paths[kind])
        replaced = read(source=source, path=paths[kind], invalid_utf8="replace")
        assert replaced == [(0, "good"), (1, "b\ufffdd"), (2, "fine")]
        # numbers don't shift when a document is skipped
        assert read(source=source, path=paths[kind], invalid_utf8="skip") == [(0, "good"), (2, "fine")]


def test_missing_and_empty(tmp_path):
    (tmp_path / "corpus.jsonl").write_text("\n\n")
    with pytest.raises(InputError, match=r"the corpus is empty: .*corpus\.jsonl holds no document"):
        read(source="jsonl", path=str(tmp_path / "corpus.jsonl"))
    with pytest.raises(InputError, match=r'corpus\.json does not exist \(did you mean "corpus\.jsonl"\?\)'):
        read(source="jsonl", path=str(tmp_path / "corpus.json"))
    with pytest.raises(InputError, match="no file matches"):
        read(source="jsonl", path=str(tmp_path / "*.json"))
    with pytest.raises(InputError, match=r"holds no \.parquet file"):
        read(source="parquet", path=str(tmp_path))
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a"}\n' * 100)[:-9])
    with pytest.raises(InputError, match="damaged or no gzip file"):
        read(source="jsonl", path=str(tmp_path / "cut.jsonl.gz"))


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        ({"source": None}, "corpus.source is None; it must be one of huggingface, jsonl, text, parquet"),
        ({"source": "json"}, r'corpus.source is \'json\' \(did you mean "jsonl"\?\)'),
        ({"source": "jsonl"}, "corpus.path is missing"),
        ({"source": "huggingface"}, "corpus.name is missing"),
    ],
)
def test_wrong_section(corpus, message):
    with pytest.raises(ConfigError, match=message):
        read(**corpus)
