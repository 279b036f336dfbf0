"""Documentation strings of installed packages, from their sources only."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_data import write_corpus

from coactivation_manifolds.errors import InputError
from coactivation_manifolds.storage import read_table
from coactivation_manifolds.training import python_docs
from coactivation_manifolds.training.python_docs import (
    collect_docstrings,
    file_docstrings,
    package_folder,
    source_files,
    split_documents,
)
from coactivation_manifolds.training.recipes import read_documents
from coactivation_manifolds.training.tokenizers import load_tokenizer

SOURCE = '''"""The module."""
raise RuntimeError("never imported")

class Thing:
    """A thing.

        Indented more.
    """

    async def go(self):
        """Go."""
        def inner():
            """Inside."""
        return "not a docstring"

def silent():
    return 1

def again():
    """Go."""
'''


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Two packages in a made-up environment."""
    places = SimpleNamespace(site=tmp_path / "lib/site-packages", stdlib=tmp_path / "lib")
    for name, source in {
        "site-packages/first/b.py": SOURCE,
        "site-packages/first/a/z.py": '"""Module z."""',
        "site-packages/first/broken.py": "def (:",
        "site-packages/first/latin.py": '"""caf\xe9"""',
        "site-packages/second/__init__.py": '"""The module."""\n"second string"',
        "abc.py": '"""Standard."""',
    }.items():
        path = places.stdlib / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.encode("latin-1"))
    site = str(places.site)
    paths = {"stdlib": str(places.stdlib), "purelib": site, "platlib": site}
    monkeypatch.setattr(python_docs, "library_paths", lambda: paths)
    return places


def test_strings_come_in_source_order_and_clean():
    assert list(file_docstrings(SOURCE)) == [
        "The module.",
        "A thing.\n\nIndented more.",
        "Go.",
        "Inside.",
        "Go.",
    ]
    assert list(file_docstrings("def (:")) == []
    assert list(file_docstrings("x = '\x00'")) == []


def test_packages_are_read_in_order_without_repeats(installed):
    texts = collect_docstrings(["first", "second"], min_characters=1)
    assert texts == ["Module z.", "The module.", "A thing.\n\nIndented more.", "Go.", "Inside.", "caf\ufffd"]
    assert collect_docstrings(["first"], min_characters=8) == ["Module z.", "The module.", texts[2]]


def test_the_standard_library_leaves_installed_packages_out(installed):
    assert package_folder("stdlib") == installed.stdlib
    assert [path.name for path in source_files(installed.stdlib)] == ["abc.py"]
    assert collect_docstrings(["stdlib"], min_characters=1) == ["Standard."]


def test_a_package_that_is_not_installed_is_told(installed):
    with pytest.raises(InputError, match=r"python_docs.packages: third is not installed in this environment"):
        collect_docstrings(["third"], min_characters=1)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.text(min_size=1), min_size=3, unique=True), st.integers(0, 5))
def test_a_split_keeps_every_document_once_whatever_the_order(texts, seed):
    train, harvest = split_documents(texts, harvest_characters=1, seed=seed)
    assert sorted(train + harvest) == sorted(texts)
    assert sum(map(len, harvest)) >= 1
    assert split_documents(texts[::-1], harvest_characters=1, seed=seed) == (train, harvest)


def test_a_split_with_nothing_left_to_train_on_is_told():
    with pytest.raises(InputError, match="have 6 characters; lower it or add packages"):
        split_documents(["abc", "def"], harvest_characters=6, seed=0)
    with pytest.raises(InputError, match="have 0 characters"):
        split_documents([], harvest_characters=6, seed=0)


def test_the_recipe_writes_documents_tokenizer_and_an_empty_truth(installed, tmp_path):
    package = installed.site / "long"
    package.mkdir()
    for number in range(30):
        (package / f"m{number}.py").write_text(f'"""Function number {number} returns an array of shape {number}."""')
    training = {
        "recipe": "python_docs",
        "python_docs": {
            "packages": ["long"],
            "min_characters": 10,
            "harvest_characters": 300,
            "vocabulary_size": 280,
        },
        "model": {"context_length": 16},
    }
    folder = write_corpus(training, tmp_path / "docs")
    train, harvest = (list(read_documents(folder / f"{name}.jsonl")) for name in ("training", "harvest"))
    assert len(train) + len(harvest) == 30
    assert sum(map(len, harvest)) >= 300
    assert read_table(folder / "truth.parquet").num_rows == 0
    tokenizer = load_tokenizer(folder / "tokenizer")
    assert tokenizer.decode(tokenizer(harvest[0])["input_ids"]) == harvest[0]
